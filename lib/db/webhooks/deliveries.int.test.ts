import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { deterministicUuidv7, uuidv7 } from "../../core/ids.ts";
import { createBusiness } from "../../testing/business.ts";
import { createMigratedDatabase } from "../../testing/database.ts";
import type { MigratedDatabase } from "../../testing/database.ts";
import {
  insertDeliveries,
  dueDeliveries,
  forPlatform,
  insertWebhook,
  listDeliveries,
  recordDeliveries,
  replayDeliveries,
} from "../index.ts";
import type { BusinessScope } from "../index.ts";

let database: MigratedDatabase;
beforeAll(async () => {
  database = await createMigratedDatabase();
});
afterAll(() => database.close());

let scope: BusinessScope;
let webhook: string;
beforeEach(async () => {
  scope = await createBusiness(database.db);
  webhook = uuidv7();
  const row = {
    id: webhook,
    url: "https://a.example",
    description: null,
    events: ["message.sent"],
    ordered: true,
    max_concurrency: 8,
  };
  await insertWebhook(scope, { ...row, secret: "sealed" }, 1);
});

/** Writes a delivery of the chat; returns its id, which is `id` where one is given. */
async function write(id?: string): Promise<string> {
  const known = new Set(await ids());
  const event = { business_id: scope.businessId, event: "message.sent", chat: "1@g.us", at: new Date(), data: {} };
  expect(await insertDeliveries(forPlatform(database.db), [event])).toEqual([webhook]);
  const written = (await ids()).find((one) => !known.has(one))!;
  if (id !== undefined) await database.owner`update webhook_deliveries set id = ${id} where id = ${written}`;
  return id ?? written;
}
const ids = async () =>
  (await database.owner<{ id: string }[]>`select id from webhook_deliveries where webhook_id = ${webhook}`).map(
    (row) => row.id,
  );
const due = async () =>
  (await dueDeliveries(forPlatform(database.db), { id: webhook, ordered: true }, 50)).map(({ id }) => id);
const record = (id: string, outcome: { status: "delivered" } | { status: "pending"; next_attempt_at: Date }) =>
  recordDeliveries(forPlatform(database.db), [
    { id, at: new Date(), duration_ms: 1, http_status: 200, error: null, ...outcome },
  ]);
const fastId = () => deterministicUuidv7(Date.now() + 600_000, webhook);

describe("ordered deliveries", () => {
  test("follow the order of insertion despite skewed clocks", async () => {
    const [first, second] = [await write(fastId()), await write()];
    expect(second < first).toBeTrue();
    expect(await due()).toEqual([first, second]);
    await record(first, { status: "pending", next_attempt_at: new Date(Date.now() + 60_000) });
    expect(await due()).toEqual([]);
  });

  test("start with unnumbered ones, by id", async () => {
    const [late, early, next] = [await write(fastId()), await write(), await write()];
    await database.owner`update webhook_deliveries set place = 0 where id in ${database.owner([early, late])}`;
    expect(await due()).toEqual([early, late, next]);
  });

  test("keep their position on a replay", async () => {
    const [first, second] = [await write(fastId()), await write()];
    await record(first, { status: "delivered" });
    expect(await due()).toEqual([second]);
    expect(await replayDeliveries(scope, webhook, { id: first })).toBe(1);
    expect(await due()).toEqual([first, second]);
  });
});

describe("large payloads", () => {
  /** An event whose payload is `length` characters long, and a little more. */
  const large = (length: number) => ({
    business_id: scope.businessId,
    event: "message.sent",
    chat: "1@g.us",
    at: new Date(),
    data: { text: "x".repeat(length) },
  });

  test("end a claim at a megabyte", async () => {
    await insertDeliveries(forPlatform(database.db), [1_500_000, 500_000, 500_000, 500_000].map(large));
    const claims: number[] = [];
    for (let claimed = await due(); claimed.length > 0; claimed = await due()) {
      claims.push(claimed.length);
      for (const id of claimed) await record(id, { status: "delivered" });
    }
    expect(claims).toEqual([1, 2, 1]);
  });

  test("are inserted by several statements", async () => {
    const lengths: number[] = [];
    const platform = forPlatform(database.db);
    const spied: typeof platform = {
      ...platform,
      run: (work) =>
        platform.run((sql) =>
          work(
            new Proxy(sql, {
              apply: (target, self, [strings, ...values]: [TemplateStringsArray, ...unknown[]]) => {
                lengths.push(Math.max(0, ...values.map((value) => (typeof value === "string" ? value.length : 0))));
                return Reflect.apply(target, self, [strings, ...values]) as unknown;
              },
            }),
          ),
        ),
    };
    await insertDeliveries(
      spied,
      Array.from({ length: 10 }, () => large(700_000)),
    );
    expect(await ids()).toHaveLength(10);
    expect(Math.max(...lengths)).toBeLessThan(2.5 * 1024 * 1024);
  });

  test("are not read by a list", async () => {
    await insertDeliveries(forPlatform(database.db), [large(500_000)]);
    const [listed] = await listDeliveries(scope, webhook, { limit: 1 });
    expect(Object.keys(listed!)).not.toContain("payload");
  });
});
