import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Redis } from "ioredis";
import { uuidv7 } from "../core/ids.ts";
import { createRedis } from "../redis/client.ts";
import { createRedisServer } from "../testing/redis_server.ts";
import { until } from "../testing/until.ts";
import { eventsOf } from "./stream.ts";
import type { StreamLimits } from "./stream.ts";
import { createFeed } from "./index.ts";
import { appendEvents } from "./live_stream.ts";

let server: Awaited<ReturnType<typeof createRedisServer>>;
let redis: Redis;
beforeEach(async () => {
  server = await createRedisServer();
  await server.start();
  redis = createRedis(server.url, "command");
  await until(() => redis.ping(), { what: "Redis" });
});
afterEach(async () => {
  redis.disconnect();
  await server.stop();
});

const happened = (
  business_id: string,
  data: Record<string, unknown> = { message_id: uuidv7(), chat: "5511@s.whatsapp.net" },
) => ({
  business_id,
  event: "message.received",
  at: new Date().toISOString(),
  data,
});
const flood = async (business: () => string, count: number, limits?: StreamLimits) => {
  for (let n = 0; n < count; n += 50) {
    await appendEvents(
      redis,
      Array.from({ length: 50 }, () => happened(business())),
      limits,
    );
  }
};
const usedBytes = async () => Number(/^used_memory:(\d+)/m.exec(await redis.info("memory"))![1]);
const small: StreamLimits = {
  all: { entries: 1_000, bytes: 200 * 1024 },
  business: { entries: 100, bytes: 32 * 1024 },
  totalBytes: 512 * 1024,
  keptMs: 60_000,
};

describe("entries of live streams", () => {
  test("carry an excerpt and no contents", async () => {
    const [id, text] = [uuidv7(), "\u0001".repeat(65_536)];
    await appendEvents(redis, [
      happened(id, { message_id: id, text, content: { type: "text", text }, media: { url: text } }),
    ]);
    const [entry] = await redis.xrange(eventsOf(id), "-", "+");
    expect(Buffer.byteLength(entry![1].join(""))).toBeLessThan(2_200);
    expect(JSON.parse(entry![1][1]!).data).toEqual({ message_id: id, excerpt: `${"\u0001".repeat(119)}…` });
  });

  test("are cut to ids and statuses beyond 2 KB", async () => {
    const id = uuidv7();
    const long = Object.fromEntries(Array.from({ length: 16 }, (_, n) => [`field_${n}`, "\u0001".repeat(500)]));
    await appendEvents(redis, [happened(id, { message_id: id, status: "sent", ...long })]);
    const [entry] = await redis.xrange(eventsOf(id), "-", "+");
    expect(JSON.parse(entry![1][1]!).data).toEqual({ message_id: id, status: "sent" });
  });
});

describe("memory of live streams", () => {
  test("fits 2,300 long texts into 8 MB", async () => {
    const id = uuidv7();
    const before = await usedBytes();
    const text = "\u0001".repeat(65_536);
    for (let n = 0; n < 2_300; n++)
      await appendEvents(redis, [happened(id, { message_id: uuidv7(), text, content: { text } })]);
    expect((await usedBytes()) - before).toBeLessThan(8 * 1024 * 1024);
  });

  test("bounds the bytes of one business", async () => {
    const id = uuidv7();
    await flood(() => id, 5_000, small);
    expect(await redis.memory("USAGE", eventsOf(id), "SAMPLES", 0)).toBeLessThan(2 * small.business.bytes);
    expect(await redis.xlen(eventsOf(id))).toBeGreaterThan(20);
  });

  test("keeps recent businesses within the total", async () => {
    const before = await usedBytes();
    const businesses = Array.from({ length: 1_000 }, () => uuidv7());
    let n = 0;
    await flood(() => businesses[n++ % businesses.length]!, 10_000, small);
    expect((await usedBytes()) - before).toBeLessThan(1.5 * (small.totalBytes + small.all.bytes));
    expect(await redis.exists(eventsOf(businesses.at(-1)!))).toBe(1);
    expect(await redis.exists(eventsOf(businesses[0]!))).toBe(0);
    const tally = await redis.hgetall("prosaas:{events}:tally");
    const sum = businesses.reduce((bytes, id) => bytes + Number(tally[id] ?? 0), 0);
    expect(Number(tally["total"])).toBe(sum);
  });

  test("isolates a business from another's flood", async () => {
    const [quiet, loud] = [uuidv7(), uuidv7()];
    await appendEvents(redis, [happened(quiet)], small);
    await flood(() => loud, 5_000, small);
    expect(await redis.xlen(eventsOf(quiet))).toBe(1);
  });

  test("expires entries by age", async () => {
    const [idle, active] = [uuidv7(), uuidv7()];
    const short = { ...small, keptMs: 500 };
    await appendEvents(redis, [happened(idle), happened(active), happened(active)], short);
    await until(
      async () => {
        await appendEvents(redis, [happened(active)], short);
        const [oldest] = await redis.xrange(eventsOf(active), "-", "+", "COUNT", 1);
        return Date.now() - Number(oldest![0].split("-")[0]) < 1_000 && (await redis.exists(eventsOf(idle))) === 0;
      },
      { what: "old entries to be removed", everyMs: 100 },
    );
    await until(async () => (await redis.dbsize()) === 0, { what: "every key to expire" });
  });
});

describe("readers that come back", () => {
  const resumed = async (business: string, from: string) => {
    const feed = createFeed({ redis, blocking: createRedis(server.url, "queue") });
    const subscription = await feed.subscribe(business, from);
    const first = await subscription.next();
    await feed.close();
    return first;
  };

  test("are reset after their id was trimmed", async () => {
    const id = uuidv7();
    await appendEvents(redis, [happened(id)], small);
    const [seen] = await redis.xrange(eventsOf(id), "-", "+");
    await flood(() => id, 500, small);
    expect(await resumed(id, seen![0])).toEqual({ event: "reset", id: null });
  });

  test("are reset after their stream was dropped", async () => {
    const [id, ...others] = Array.from({ length: 400 }, () => uuidv7());
    await appendEvents(redis, [happened(id!)], small);
    const [seen] = await redis.xrange(eventsOf(id!), "-", "+");
    let n = 0;
    await flood(() => others[n++ % others.length]!, 2_000, small);
    await appendEvents(redis, [happened(id!)], small);
    expect(await resumed(id!, seen![0])).toEqual({ event: "reset", id: null });
  });

  test("are reset after Redis was emptied", async () => {
    const id = uuidv7();
    await appendEvents(redis, [happened(id)]);
    const [seen] = await redis.xrange(eventsOf(id), "-", "+");
    await redis.flushall();
    await until(() => Date.now() > Number(seen![0].split("-")[0]) + 1, { what: "another millisecond", everyMs: 1 });
    await appendEvents(redis, [happened(id)]);
    expect(await resumed(id, seen![0])).toEqual({ event: "reset", id: null });
  });

  test("read past events page by page", async () => {
    const id = uuidv7();
    await flood(() => id, 900);
    const asked: unknown[][] = [];
    const counting = new Proxy(redis, {
      get: (target, name: keyof Redis) => {
        const value = target[name];
        if (typeof value !== "function") return value;
        return (...args: unknown[]) => {
          if (name === "xrange") asked.push(args);
          return (value as (...args: unknown[]) => unknown).apply(target, args);
        };
      },
    });
    const feed = createFeed({ redis: counting, blocking: createRedis(server.url, "queue") });
    const subscription = await feed.subscribe(id, "0-0");
    await subscription.next();
    expect(Math.max(...asked.map(([, , , , count]) => Number(count)))).toBeLessThanOrEqual(100);
    expect(asked.filter(([, , , , count]) => count === 100)).toHaveLength(1);
    for (let n = 1; n < 900; n++) await subscription.next();
    await appendEvents(redis, [happened(id, { last: true })]);
    expect(await subscription.next()).toMatchObject({ data: { last: true } });
    await feed.close();
  });
});
