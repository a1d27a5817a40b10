import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { createRedis } from "../../../lib/redis/client.ts";
import { listLiveCalls } from "../../../lib/calls/live_call.ts";
import { testRedisUrl, uniqueName } from "../../../lib/testing/servers.ts";
import { newCall } from "../testing/call.ts";
import { createCallStore } from "./store.ts";
import type { CallStore } from "./store.ts";

const redis = createRedis(testRedisUrl(), "command");
afterAll(() => redis.quit());

let store: CallStore;
let prefix: string;
beforeEach(() => {
  prefix = `{${uniqueName("calls")}}`;
  store = createCallStore({ redis, prefix });
});

describe("begin", () => {
  test("round-trips any field value", async () => {
    const call = newCall({
      from: 'sip:"a" <b@c>; \u2028é',
      agent_state: JSON.stringify({ step: 3 }),
      max_concurrent: 0,
      transfer_to: null,
    });
    const stored = await store.begin(call);
    expect(stored).toMatchObject({ isNew: true, call: { ...call, version: 1 } });
    expect((await store.read(call.call_sid)).call).toEqual({ ...call, version: 1 });
    expect(Math.abs(stored.nowMs - Date.now())).toBeLessThan(60_000);
  });

  test("leaves an existing call unchanged", async () => {
    const call = newCall({ position_ms: 40 });
    await store.begin(call);
    expect(await store.begin({ ...call, position_ms: 0 })).toMatchObject({
      isNew: false,
      call: { version: 1, position_ms: 40 },
    });
  });
});

describe("change", () => {
  test("serialises concurrent changes", async () => {
    const call = newCall();
    await store.begin(call);
    const others = [createRedis(testRedisUrl(), "command"), createRedis(testRedisUrl(), "command")];
    const stores = [store, ...others.map((other) => createCallStore({ redis: other, prefix }))];
    await Promise.all(
      Array.from({ length: 15 }, (_, i) =>
        stores[i % 3]!.change(call.call_sid, (now) => ({ position_ms: now.position_ms + 20 })),
      ),
    );
    expect((await store.read(call.call_sid)).call).toMatchObject({ version: 16, position_ms: 300 });
    others.forEach((other) => other.disconnect());
  });

  test("rejects an old version and returns the current state", async () => {
    const { call } = await store.begin(newCall());
    await store.change(call.call_sid, () => ({ step: "streaming" }));
    const late = await store.changeFrom(call, { step: "broken" });
    expect(late).toMatchObject({ changed: false, call: { version: 2, step: "streaming" } });
  });

  test("without a decision changes nothing", async () => {
    const { call } = await store.begin(newCall());
    expect((await store.change(call.call_sid, () => null))?.call).toEqual(call);
    expect(await store.change(newCall().call_sid, () => ({ position_ms: 1 }))).toBeNull();
    expect((await store.read(newCall().call_sid)).call).toBeNull();
  });
});

describe("retention", () => {
  test("a call is stale until its end is written", async () => {
    const { call } = await store.begin(newCall());
    expect((await store.stale(0, 10)).map((stale) => stale.callSid)).toEqual([call.call_sid]);
    expect(await store.stale(60_000, 10)).toEqual([]);
    await store.written(call.call_sid);
    await store.change(call.call_sid, () => ({ step: "ended" }));
    expect(await store.stale(0, 10)).toEqual([]);
  });

  test("ended calls expire earlier than calls in progress", async () => {
    const { call } = await store.begin(newCall());
    const ttl = () => redis.pttl(`${prefix}:call:${call.call_sid}`);
    expect(await ttl()).toBeGreaterThan(24 * 3_600_000);
    await store.change(call.call_sid, () => ({ step: "ended" }));
    expect(await ttl()).toBeLessThanOrEqual(2 * 3_600_000);
  });
});

test("lists a business's calls in progress, latest first", async () => {
  const business_id = crypto.randomUUID();
  const [first, second, third] = await Promise.all(
    [1, 2, 3].map((started_at) => store.begin(newCall({ business_id, started_at })).then(({ call }) => call)),
  );
  await store.begin(newCall());
  const listed = async (limit = 10) =>
    (await listLiveCalls(redis, business_id, limit, prefix)).map((call) => call.call_sid);
  expect(await listed()).toEqual([third!.call_sid, second!.call_sid, first!.call_sid]);
  expect(await listed(1)).toEqual([third!.call_sid]);
  await store.change(second!.call_sid, () => ({ step: "ended" }));
  await redis.del(`${prefix}:call:${first!.call_sid}`);
  expect(await listed()).toEqual([third!.call_sid]);
  expect(await redis.zcard(`${prefix}:of:${business_id}`)).toBe(1);
});
