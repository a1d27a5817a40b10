import { describe, expect, spyOn, test } from "bun:test";
import { createRedis } from "../redis/client.ts";
import { createRedisServer } from "../testing/redis_server.ts";
import { testRedisUrl } from "../testing/servers.ts";
import { until } from "../testing/until.ts";
import { definitionOf } from "./definitions.ts";
import { queueOn } from "./connection.ts";
import { queueDepths } from "./depths.ts";
import { createProducer } from "./producer.ts";
import { useQueues } from "../testing/use_queues.ts";

const stage = useQueues();

const business = (n: number) => `01900000-0000-7000-8000-${String(n).padStart(12, "0")}`;
const idle = async () =>
  (await queueDepths(stage.queues.redis, ["high"])).every(
    ({ waiting, active, delayed }) => waiting + active + delayed === 0,
  );

describe("deduplication", () => {
  test("merges a thousand wake-ups into a few runs", async () => {
    const gate = Promise.withResolvers<void>();
    let runs = 0;
    await stage.queues.serve("high", {
      send: async () => {
        runs += 1;
        await gate.promise;
        return {};
      },
    });
    await Promise.all(
      Array.from({ length: 1_000 }, () => stage.queues.producer.wake("send", { business_id: business(1) })),
    );
    gate.resolve();
    await until(idle, { what: "an empty queue" });
    expect(runs).toBeGreaterThanOrEqual(1);
    expect(runs).toBeLessThanOrEqual(3);
  });

  test("wake-ups during a run cause one more run", async () => {
    const started = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    let runs = 0;
    await stage.queues.serve("high", {
      send: async () => {
        runs += 1;
        started.resolve();
        if (runs === 1) await gate.promise;
        return {};
      },
    });
    await stage.queues.producer.wake("send", { business_id: business(1) });
    await started.promise;
    await Promise.all(
      Array.from({ length: 10 }, () => stage.queues.producer.wake("send", { business_id: business(1) })),
    );
    gate.resolve();
    await until(idle, { what: "an empty queue" });
    expect(runs).toBe(2);
  });

  test("loses no wake-up under concurrent writes", async () => {
    const businesses = 20;
    const written = new Map<string, number>();
    const seen = new Map<string, number>();
    let runs = 0;
    await stage.queues.serve("high", {
      send: async ({ payload: { business_id } }) => {
        runs += 1;
        const read = written.get(business_id) ?? 0;
        // Delays the end of the run after its read. A wake-up lost in this gap would lose work.
        await Bun.sleep(Math.random() * 4);
        seen.set(business_id, Math.max(seen.get(business_id) ?? 0, read));
        return {};
      },
    });
    const client = async (n: number) => {
      for (let i = 0; i < 60; i++) {
        const business_id = business(n % businesses);
        written.set(business_id, (written.get(business_id) ?? 0) + 1);
        await stage.queues.producer.wake("send", { business_id });
        await Bun.sleep(Math.random() * 6);
      }
    };
    await Promise.all(Array.from({ length: 60 }, (_, n) => client(n)));
    await until(idle, { what: "an empty queue" });
    expect(seen).toEqual(written);
    expect(runs).toBeLessThan(60 * 60);
  });
});

describe("a postponed job", () => {
  test("runs early only after an expedited wake-up", async () => {
    const attempts: number[] = [];
    await stage.queues.serve("high", {
      send: async ({ attempt }) => {
        attempts.push(attempt);
        return attempt === 1 ? { again: { inMs: 600_000, reason: "the shard is down" } } : {};
      },
    });
    const payload = { business_id: business(1) };
    await stage.queues.producer.wake("send", payload);
    await until(async () => (await queueDepths(stage.queues.redis, ["high"]))[0]?.delayed === 1, {
      what: "a postponed run",
    });
    await stage.queues.producer.wake("send", payload);
    expect((await queueDepths(stage.queues.redis, ["high"]))[0]).toMatchObject({ waiting: 0, active: 0, delayed: 1 });
    await stage.queues.producer.wake("send", payload, { expedite: true });
    await until(idle, { what: "an empty queue" });
    expect(attempts).toEqual([1, 2]);
  });

  test("counts as waiting since its due time", async () => {
    const worker = await stage.queues.serve("high", {
      send: async () => ({ again: { inMs: 3_000, reason: "the shard is down" } }),
    });
    await stage.queues.producer.wake("send", { business_id: business(1) });
    const queue = await queueOn(stage.queues.redis, "high");
    const [job] = await until(async () => ((jobs) => (jobs.length > 0 ? jobs : null))(await queue.getDelayed()), {
      what: "a postponed run",
    });
    await worker.close(0);
    const { due } = job!.progress as { due: number };
    await until(() => Date.now() > due, { what: "the end of its wait" });
    await job!.promote();
    const [depth] = await queueDepths(stage.queues.redis, ["high"]);
    expect(depth!.waiting).toBe(1);
    expect(depth!.oldestMs).toBeLessThanOrEqual(Date.now() - due);
    expect(depth!.oldestMs).toBeLessThan(Date.now() - job!.timestamp - 2_990);
  });
});

describe("wake", () => {
  test("rejects an invalid payload before it reaches Redis", async () => {
    await expect(stage.queues.producer.wake("send", { business_id: "not an id" })).rejects.toThrow();
    expect(await stage.queues.redis.keys("prosaas:*")).toEqual([]);
  });

  test("works after Redis was flushed", async () => {
    let runs = 0;
    const gate = Promise.withResolvers<void>();
    await stage.queues.serve("high", {
      send: async () => {
        runs += 1;
        if (runs === 1) await gate.promise;
        return {};
      },
    });
    const payload = { business_id: business(1) };
    await stage.queues.producer.wake("send", payload);
    await until(() => runs === 1, { what: "the first run" });
    await stage.queues.redis.flushdb();
    await stage.queues.producer.wake("send", payload);
    await until(() => runs === 2, { what: "a run after the flush" });
    gate.resolve();
    await until(idle, { what: "an empty queue" });
  });

  test("works after its first use failed", async () => {
    const redis = createRedis(testRedisUrl(), "command");
    await redis.ping();
    const producer = createProducer(redis);
    // BullMQ reads the server's version first.
    const info = spyOn(redis, "info").mockRejectedValueOnce(new Error("Reached the max retries per request limit"));
    const payload = { business_id: business(1) };
    await expect(producer.wake("send", payload)).rejects.toThrow("max retries");
    await producer.wake("send", payload);
    info.mockRestore();
    await (await queueOn(redis, "high")).obliterate();
    await producer.close();
    redis.disconnect();
  });

  test("throws quickly while Redis is unavailable, then recovers", async () => {
    const server = await createRedisServer();
    const redis = createRedis(server.url, "command");
    const producer = createProducer(redis);
    const payload = { business_id: business(1) };
    const start = performance.now();
    await expect(producer.wake("send", payload)).rejects.toThrow();
    // The client retries for ever without its limits.
    expect(performance.now() - start).toBeLessThan(20_000);
    await server.start();
    try {
      const wake = () => producer.wake("send", payload).then(() => true);
      await until(wake, { what: "a wake-up that arrives" });
      expect((await queueDepths(redis, ["high"]))[0]?.waiting).toBe(1);
    } finally {
      await producer.close();
      redis.disconnect();
      await server.stop();
    }
  });

  test("runs urgent jobs before a backlog of yielding ones", async () => {
    for (let n = 0; n < 20; n++) await stage.queues.producer.wake("fetch_media", { business_id: business(100 + n) });
    await stage.queues.producer.wake("prepare_media", { business_id: business(7) });
    const [depth] = await queueDepths(stage.queues.redis, ["media"]);
    expect(depth).toMatchObject({ waiting: 21, oldestMs: expect.any(Number) });
    const order: string[] = [];
    const record = (job: string) => async () => (order.push(job), {});
    const handlers = { fetch_media: record("fetch"), prepare_media: record("prepare") };
    await stage.queues.serve("media", handlers, { definition: { ...definitionOf("media"), concurrency: 1 } });
    await until(() => order.length === 21, { what: "all runs" });
    expect(order[0]).toBe("prepare");
  });
});
