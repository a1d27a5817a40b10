import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Redis } from "ioredis";
import { uuidv7 } from "../core/ids.ts";
import { createRedis } from "../redis/client.ts";
import { createRedisServer } from "../testing/redis_server.ts";
import { until } from "../testing/until.ts";
import { createFeed } from "./index.ts";
import { appendEvents } from "./live_stream.ts";
import type { Feed, Subscription } from "./index.ts";

let server: Awaited<ReturnType<typeof createRedisServer>>;
let redis: Redis;
let feeds: Feed[];
beforeEach(async () => {
  server = await createRedisServer();
  await server.start();
  redis = createRedis(server.url, "command");
  await until(() => redis.ping(), { what: "Redis" });
  feeds = [];
});
afterEach(async () => {
  await Promise.all(feeds.map((feed) => feed.close()));
  redis.disconnect();
  await server.stop();
});

/** The feed of a replica of its own. */
const replica = () => {
  const feed = createFeed({ redis, blocking: createRedis(server.url, "queue") });
  feeds.push(feed);
  return feed;
};
const happened = (business_id: string, n: number) => ({
  business_id,
  event: "test",
  at: new Date().toISOString(),
  data: { n },
});
const publish = (business: string, ...numbers: number[]) =>
  appendEvents(
    redis,
    numbers.map((n) => happened(business, n)),
  );
const take = async (subscription: Subscription, count: number) => {
  const taken = [];
  while (taken.length < count) taken.push((await subscription.next())!);
  return taken;
};
const numbers = (items: Awaited<ReturnType<typeof take>>) =>
  items.map((item) => ("data" in item ? item.data["n"] : item.event));

describe("the feed of live events", () => {
  test("delivers a business's events in order on every replica", async () => {
    const [a, b] = [uuidv7(), uuidv7()];
    const subscriptions = [await replica().subscribe(a, undefined), await replica().subscribe(a, undefined)];
    const all = await replica().subscribe(null, undefined);
    await publish(a, 1);
    await publish(b, 2);
    await publish(a, 3, 4);
    for (const subscription of subscriptions) expect(numbers(await take(subscription, 3))).toEqual([1, 3, 4]);
    expect(numbers(await take(all, 4))).toEqual([1, 2, 3, 4]);
  });

  test("resumes after the last id on another replica", async () => {
    const a = uuidv7();
    const first = await replica().subscribe(a, undefined);
    await publish(a, 1, 2);
    const [seen] = await take(first, 1);
    first.close();
    await publish(a, 3);
    const again = await replica().subscribe(a, seen!.id!);
    await publish(a, 4);
    expect(numbers(await take(again, 3))).toEqual([2, 3, 4]);
  });

  test("merges replay and live events without loss or repetition", async () => {
    const a = uuidv7();
    await publish(a, 0);
    const feed = replica();
    const publishing = (async () => {
      for (let n = 1; n <= 200; n++) await publish(a, n);
    })();
    const subscription = await feed.subscribe(a, "0-1");
    expect(numbers(await take(subscription, 201))).toEqual(Array.from({ length: 201 }, (_, n) => n));
    await publishing;
  });

  test("resets a reader whose id is no longer kept", async () => {
    const subscription = await replica().subscribe(uuidv7(), "1-0");
    expect(numbers(await take(subscription, 1))).toEqual(["reset"]);
  });

  test("resets readers after a Redis outage", async () => {
    const a = uuidv7();
    const subscription = await replica().subscribe(a, undefined);
    await publish(a, 1);
    expect(numbers(await take(subscription, 1))).toEqual([1]);
    await server.stop();
    await server.start();
    await until(() => publish(a, 2).then(() => true), { what: "Redis back" });
    const items = numbers(await take(subscription, 1));
    expect(items[0] === "reset" || items[0] === 2).toBeTrue();
  });

  test("ends every subscription on close", async () => {
    const feed = replica();
    const subscription = await feed.subscribe(null, undefined);
    const next = subscription.next();
    await feed.close();
    expect(await next).toBeUndefined();
  });
});
