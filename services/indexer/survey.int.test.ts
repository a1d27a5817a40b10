import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { indexes } from "../../lib/db/indexes.ts";
import { createBusiness } from "../../lib/testing/business.ts";
import { createMigratedDatabase } from "../../lib/testing/database.ts";
import type { MigratedDatabase } from "../../lib/testing/database.ts";
import { until } from "../../lib/testing/until.ts";
import { buildIndexes } from "./indexer.ts";
import { surveyIndexes } from "./survey.ts";

let database: MigratedDatabase;
beforeAll(async () => {
  database = await createMigratedDatabase();
});
afterAll(() => database.close());

const names = indexes.map(({ name }) => name);

describe("the survey of indexes", () => {
  test("reports every listed index as missing at first", async () => {
    const survey = await surveyIndexes(database.owner);
    expect(survey.missing).toEqual(names);
    expect([survey.invalid, survey.retired]).toEqual([[], []]);
    expect(survey.indexes.find(({ name }) => name === "messages_pkey")).toMatchObject({
      state: "valid",
      table: "messages",
    });
  });

  test("reports sizes, retired and invalid indexes", async () => {
    await buildIndexes({ url: database.ownerUrl });
    await database.owner`create index of_long_ago on businesses (name)`;
    await database.owner`update pg_index set indisvalid = false where indexrelid = 'api_keys_by_business'::regclass`;
    const survey = await surveyIndexes(database.owner);
    expect(survey.missing).toEqual([]);
    expect(survey.retired).toEqual(["of_long_ago"]);
    expect(survey.invalid).toEqual(["api_keys_by_business"]);
    expect(survey.indexes.find(({ name }) => name === "messages_by_chat")!.bytes).toBeGreaterThan(8_000);
  });

  test("reports an index as unused until queried", async () => {
    const scope = await createBusiness(database.db);
    expect((await surveyIndexes(database.owner)).unused).toContain("messages_by_chat");
    await until(
      async () => {
        await scope.run(async (sql) => {
          await sql`set local enable_seqscan = off`;
          await sql`
          select * from messages where business_id = ${scope.businessId} and chat = 'c' order by id desc limit 1`;
        });
        return !(await surveyIndexes(database.owner)).unused.includes("messages_by_chat");
      },
      { what: "the statistics" },
    );
  });
});
