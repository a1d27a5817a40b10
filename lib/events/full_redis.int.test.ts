import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Redis } from "ioredis";
import { uuidv7 } from "../core/ids.ts";
import { createCallCapacity } from "../calls/capacity.ts";
import { createRedis } from "../redis/client.ts";
import { familyOf } from "../testing/key_families.ts";
import { acquireLease } from "../redis/lease.ts";
import { createRateLimiter } from "../redis/rate_limit.ts";
import { definitionOf } from "../queues/definitions.ts";
import { createTestQueues } from "../testing/queues.ts";
import type { TestQueues } from "../testing/queues.ts";
import { createRedisServer } from "../testing/redis_server.ts";
import { until } from "../testing/until.ts";
import { allEvents } from "./stream.ts";
import { createFeed } from "./index.ts";
import { appendEvents } from "./live_stream.ts";
import type { Feed } from "./index.ts";
import { memoryGuard } from "./memory_guard.ts";

let server: Awaited<ReturnType<typeof createRedisServer>>;
let redis: Redis;
let queues: TestQueues;
let feed: Feed;
beforeEach(async () => {
  server = await createRedisServer({ maxMemory: "32mb" });
  await server.start();
  redis = createRedis(server.url, "command");
  await until(() => redis.ping(), { what: "Redis" });
  queues = await createTestQueues(server.url);
  feed = createFeed({ redis, blocking: createRedis(server.url, "queue") });
});
afterEach(async () => {
  await feed.close();
  await queues.close();
  redis.disconnect();
  await server.stop();
});

const business = uuidv7();
const happened = (data: Record<string, unknown> = { message_id: uuidv7() }) => ({
  business_id: business,
  event: "message.received",
  at: new Date().toISOString(),
  data,
});
/** Fills Redis, as another program or a fault of ours may; clients' buffers then take it beyond its limit. */
const fillUp = async () => {
  const blob = "x".repeat(256 * 1024);
  for (let n = 0; (await redis.set(`foreign:${n}`, blob).catch(() => "refused")) !== "refused"; n++);
  const used = Number(/^used_memory:(\d+)/m.exec(await redis.info("memory"))![1]);
  await redis.config("SET", "maxmemory", Math.floor(used * 0.9));
};
const free = async () => {
  for (let keys = await redis.keys("foreign:*"); keys.length > 0; keys = await redis.keys("foreign:*"))
    await redis.del(...keys);
};
const capacity = () => createCallCapacity({ redis, leaseMs: 5_000, recoveryMs: 0, identity: async () => "abcd" });
const admit = (callSid: string) =>
  capacity().admit({ callSid, businessId: business, limits: { all: 50, business: null } });

describe("a Redis that live events filled before", () => {
  test("keeps room for leases, queues and calls", async () => {
    const runs: string[] = [];
    await queues.serve("high", { send: async ({ payload }) => (runs.push(payload.business_id), {}) });
    const text = "\u0001".repeat(65_536);
    for (let n = 0; n < 2_400; n++) {
      await appendEvents(redis, [happened({ message_id: uuidv7(), text, content: { text } })]).catch(() => {});
    }
    expect(await acquireLease(redis, "lease", 1_000)).not.toBeNull();
    await capacity().announce();
    expect((await admit("CA1")).outcome).toBe("admitted");
    await queues.producer.wake("send", { business_id: business });
    await until(() => runs.length === 1, { what: "the job to run" });
  });
});

describe("a Redis that others fill", () => {
  test("loses live events, and everything recovers by itself", async () => {
    const runs: string[] = [];
    await queues.serve("high", { send: async ({ payload }) => (runs.push(payload.business_id), {}) });
    await capacity().announce();
    const subscription = await feed.subscribe(business, undefined);
    expect(await appendEvents(redis, [happened({ n: 1 })])).toBeTrue();
    expect(await subscription.next()).toMatchObject({ data: { n: 1 } });
    const limiter = createRateLimiter({ redis, limit: 5, windowMs: 1_000 });

    await fillUp();
    await until(async () => !(await appendEvents(redis, [happened({ n: 2 })])), { what: "live events to pause" });
    expect(await redis.exists(allEvents)).toBe(0);
    await fillUp();
    // Each says that it can be tried again, and none hangs. Calls go on: their script frees before it adds.
    await expect(acquireLease(redis, "lease", 1_000)).rejects.toMatchObject({ code: "unavailable" });
    expect(await limiter.take("key")).toMatchObject({
      granted: true,
      fallback: expect.objectContaining({ code: "unavailable" }),
    });
    await expect(queues.producer.wake("send", { business_id: business })).rejects.toMatchObject({
      code: "unavailable",
    });
    expect((await admit("CA2")).outcome).toBe("admitted");
    expect(runs).toEqual([]);

    await free();
    await until(() => appendEvents(redis, [happened({ n: 3 })]), { what: "live events to resume" });
    let item = await subscription.next();
    while (item?.event !== "reset") {
      expect(item).toMatchObject({ data: { n: 2 } });
      item = await subscription.next();
    }
    expect(await subscription.next()).toMatchObject({ data: { n: 3 } });
    expect(await acquireLease(redis, "lease", 1_000)).not.toBeNull();
    expect((await admit("CA3")).outcome).toBe("admitted");
    expect((await limiter.take("key")).granted).toBeTrue();
    await queues.producer.wake("send", { business_id: business });
    await until(() => runs.length > 0, { what: "the job to run" });
  });

  test("ends no active job", async () => {
    const hold = Promise.withResolvers<void>();
    let runs = 0;
    await queues.serve("high", {
      send: async () => {
        runs += 1;
        if (runs === 1) await hold.promise;
        return runs < 3 ? { again: { inMs: 0, reason: "more" } } : {};
      },
    });
    await queues.producer.wake("send", { business_id: business });
    await until(() => runs === 1, { what: "the first run" });
    await fillUp();
    hold.resolve();
    await until(() => queues.lines.some((line) => JSON.stringify(line).includes("OOM")), {
      what: "a refusal to be logged",
    });
    await free();
    await until(() => runs >= 3, { what: "the runs after it" });
    expect((await queues.deadLetters.list("high")).total).toBe(0);
    await queues.producer.wake("send", { business_id: business });
    await until(() => runs >= 4, { what: "the next wake-up" });
  });

  test("bounds dead letters and every other key", async () => {
    const fail = async () => {
      throw new Error("x".repeat(100_000));
    };
    await queues.serve(
      "high",
      { send: fail },
      { definition: { ...definitionOf("high"), attempts: 1, backoff: { baseMs: 1, maxMs: 2 } } },
    );
    await queues.producer.wake("send", { business_id: business });
    await until(async () => (await queues.deadLetters.list("high")).total === 1, { what: "a dead letter" });
    await appendEvents(redis, [happened()]);
    await createRateLimiter({ redis, limit: 5, windowMs: 60_000 }).take("key");
    await acquireLease(redis, `prosaas:lease:send:${business}`, 60_000);
    await capacity().announce();
    await admit("CA1");
    const keys = await redis.keys("*");
    expect(keys.filter((key) => familyOf(key) === undefined)).toEqual([]);
    const { letters } = await queues.deadLetters.list("high");
    expect(await redis.memory("USAGE", `prosaas:high:${letters[0]!.jobId}`)).toBeLessThan(3_000);
    expect(letters[0]!.reason).toEndWith("…");
  });

  test("frees the memory of live events without publishing", async () => {
    await appendEvents(redis, [happened()]);
    await fillUp();
    await memoryGuard(redis).check();
    expect(await redis.exists(allEvents)).toBe(0);
  });
});
