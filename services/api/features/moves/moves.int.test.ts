import { beforeEach, describe, expect, test } from "bun:test";
import { uuidv7 } from "../../../../lib/core/ids.ts";
import { forPlatform, getMove } from "../../../../lib/db/index.ts";
import { createBusiness } from "../../../../lib/testing/business.ts";
import { useHarness } from "../../testing/use_harness.ts";

let cordoned: number[] = [];
const api = useHarness({ cordon: () => cordoned });
beforeEach(async () => {
  cordoned = [];
  api.woken.length = 0;
  await api.database.owner`delete from moves`;
  await api.database.owner`delete from businesses`;
});

const on = async (shard: number, paired = true) => {
  const { businessId } = await createBusiness(api.database.db, { shard, paired });
  if (!paired) await api.database.owner`update businesses set whatsapp_shard = ${shard} where id = ${businessId}`;
  return businessId;
};
const move = (id: string, shard: unknown) =>
  api.request("POST", `/v1/admin/businesses/${id}/move`, { body: { shard } });

describe("a move", () => {
  test("is stored, woken and read by its id", async () => {
    const id = await on(1);
    const started = await move(id, 2);
    expect([started.status, started.body]).toMatchObject([
      202,
      {
        business_id: id,
        from_shard: 1,
        to_shard: 2,
        status: "in_progress",
        step: "requested",
        silent_ms: null,
        finished_at: null,
      },
    ]);
    await api.wakeUps.settled();
    expect(api.woken).toEqual([started.body.id]);
    expect((await api.request("GET", `/v1/admin/moves/${started.body.id}`)).body).toEqual(started.body);
    for (const status of ["in_progress", "under_way"])
      expect((await api.request("GET", `/v1/admin/moves?status=${status}`)).body.data).toEqual([started.body]);
    expect((await api.request("GET", "/v1/admin/moves?status=finished")).body.data).toEqual([]);
  });

  test("is refused with a reason if it is impossible", async () => {
    const id = await on(1);
    expect((await move(id, 0)).body.errors[0].field).toBe("shard");
    expect((await move(uuidv7(), 2)).status).toBe(404);
    expect((await move("nonsense", 2)).status).toBe(404);
    expect(await move(id, 1)).toMatchObject({ status: 409, body: { detail: expect.stringContaining("already") } });
    expect(await move(id, 3)).toMatchObject({
      status: 409,
      body: { detail: expect.stringContaining("There are 2 shards") },
    });
    const { id: unconnected } = await api.business();
    expect((await move(unconnected, 2)).status).toBe(409);
    await move(id, 2);
    expect(await move(id, 2)).toMatchObject({
      status: 409,
      body: { detail: expect.stringContaining("move in progress") },
    });
    expect((await api.request("GET", `/v1/admin/moves/${uuidv7()}`)).status).toBe(404);
    expect((await api.request("GET", "/v1/admin/moves/nonsense")).status).toBe(404);
  });

  test("is refused to a cordoned shard", async () => {
    const id = await on(1);
    cordoned = [2];
    expect(await move(id, 2)).toMatchObject({
      status: 409,
      body: { detail: expect.stringContaining("being drained") },
    });
  });

  test("is not available to business keys", async () => {
    const { id, key } = await api.business();
    for (const [method, path, body] of [
      ["POST", `/v1/admin/businesses/${id}/move`, { shard: 2 }],
      ["GET", "/v1/admin/moves", undefined],
      ["POST", "/v1/admin/rebalance", {}],
      ["GET", "/v1/admin/assignments", undefined],
    ] as const) {
      expect((await api.request(method, path, { key, ...(body ? { body } : {}) })).status, path).toBe(404);
    }
  });
});

describe("a rebalance", () => {
  test("plans, starts and completes its moves", async () => {
    for (let n = 0; n < 5; n++) await on(1);
    const dry = await api.request("POST", "/v1/admin/rebalance", { body: { dry_run: true } });
    expect([dry.status, dry.body.planned.length, dry.body.data]).toEqual([202, 2, []]);
    const started = await api.request("POST", "/v1/admin/rebalance", { body: {} });
    expect(
      started.body.data.map(({ from_shard, to_shard }: { from_shard: number; to_shard: number }) => [
        from_shard,
        to_shard,
      ]),
    ).toEqual([
      [1, 2],
      [1, 2],
    ]);
    expect((await api.request("POST", "/v1/admin/rebalance", { body: {} })).body).toEqual({
      dry_run: false,
      planned: [],
      data: [],
    });
  });

  test("requires every shard, unless it drains", async () => {
    for (let n = 0; n < 3; n++) await on(2);
    const known = api.addresses.get(2)!;
    api.addresses.delete(2);
    const refused = await api.request("POST", "/v1/admin/rebalance", { body: {} });
    const drained = await api.request("POST", "/v1/admin/rebalance", { body: { drain: [2], dry_run: true } });
    api.addresses.set(2, known);
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "2"]);
    expect(drained.body.planned.length).toBeGreaterThanOrEqual(3);
    await api.request("POST", "/v1/admin/rebalance", { body: { drain: [2] } });
  });

  test("empties cordoned shards and fills none", async () => {
    for (let n = 0; n < 3; n++) await on(1);
    await on(2);
    cordoned = [1];
    const { body } = await api.request("POST", "/v1/admin/rebalance", { body: { dry_run: true } });
    expect(body.planned.map(({ to_shard }: { to_shard: number }) => to_shard)).toEqual([2, 2, 2]);
    const drained = await api.request("POST", "/v1/admin/rebalance", { body: { drain: [2], dry_run: true } });
    expect(drained.body.planned).toEqual([]);
  });

  test("leaves businesses where others are full", async () => {
    for (let n = 0; n < 3; n++) await on(1);
    await on(2);
    const body = { drain: [1], max_sessions: 2, dry_run: true };
    expect((await api.request("POST", "/v1/admin/rebalance", { body })).body.planned).toHaveLength(1);
  });

  test("drains a shard over several requests", async () => {
    for (const paired of [true, true, false]) await on(2, paired);
    await on(1);
    const first = await api.request("POST", "/v1/admin/rebalance", { body: { drain: [2], max: 2 } });
    const second = await api.request("POST", "/v1/admin/rebalance", { body: { drain: [2], max: 2 } });
    expect([first.body.data.length, second.body.data.length]).toEqual([2, 1]);
    const [one] = first.body.data;
    expect(await getMove(forPlatform(api.database.db), one.id)).toMatchObject({ from_shard: 2, to_shard: 1 });
  });
});

test("lists assignments, moves and journals of each shard", async () => {
  await on(1);
  const id = await on(2);
  await on(2, false);
  await move(id, 1);
  expect((await api.request("GET", "/v1/admin/assignments")).body).toEqual({
    num_shards: 2,
    data: [
      { shard: 1, businesses: 1, paired: 1, moving: 1, journal: 1 },
      { shard: 2, businesses: 2, paired: 1, moving: 1, journal: 2 },
    ],
  });
  api.shards.away = true;
  expect((await api.request("GET", "/v1/admin/assignments")).body.data[0].journal).toBeNull();
  api.shards.away = false;
});
