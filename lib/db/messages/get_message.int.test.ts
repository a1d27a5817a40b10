import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createBusiness } from "../../testing/business.ts";
import { createMigratedDatabase } from "../../testing/database.ts";
import type { MigratedDatabase } from "../../testing/database.ts";
import { sql } from "../client/literal.ts";
import { getMessage } from "../index.ts";
import { pendingIds, send } from "../testing/outbox.ts";

let database: MigratedDatabase;
beforeAll(async () => {
  // One connection, so that all businesses use the plan that it keeps.
  database = await createMigratedDatabase({ poolSize: 1 });
});
afterAll(() => database.close());

/** Postgres keeps a plan after at most five executions. */
const untilPlanIsKept = 10;

describe("a kept plan", () => {
  test("shows a business no message of another", async () => {
    const [one, other] = [await createBusiness(database.db), await createBusiness(database.db)];
    const id = await send(one, "1@g.us");
    for (let n = 0; n < untilPlanIsKept; n++) expect(await getMessage(one, id)).toMatchObject({ id });
    expect(await getMessage(other, id)).toBeUndefined();
    // Row-level security applies even if a statement names another business.
    expect([...(await other.ask(sql`select * from get_message(${id}, ${one.businessId})`))]).toEqual([]);
    expect(await getMessage(one, id)).toMatchObject({ id });
  });

  test("claims no message of another business", async () => {
    const [one, other] = [await createBusiness(database.db), await createBusiness(database.db)];
    const id = await send(one, "1@g.us");
    expect(await pendingIds(one)).toEqual([id]);
    const claim = sql`select messages from claim_urgent_messages(${one.businessId}, 50, 1000)`;
    expect([...(await other.ask(claim))]).toEqual([{ messages: [] }]);
    expect(await pendingIds(one)).toEqual([id]);
  });

  test("follows a new column", async () => {
    const business = await createBusiness(database.db);
    const id = await send(business, "1@g.us");
    for (let n = 0; n < untilPlanIsKept; n++) await getMessage(business, id);
    await database.owner`alter table messages add column added text default 'new'`;
    expect(await getMessage(business, id)).toMatchObject({ id, added: "new" });
  });
});
