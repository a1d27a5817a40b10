import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Redis } from "ioredis";
import { testRedisUrl, uniqueName } from "../testing/servers.ts";
import { createRedis } from "./client.ts";
import { createRateLimiter, rateLimitScript } from "./rate_limit.ts";

let redis: Redis;
beforeAll(() => {
  redis = createRedis(testRedisUrl(), "command");
});
afterAll(() => redis.disconnect());

/** A limiter whose clock the test holds. */
function limiter(limit: number) {
  const clock = uniqueName("clock");
  const script = rateLimitScript((lua) =>
    lua.replace(
      'redis.call("TIME")',
      `{ math.floor((tonumber(redis.call("GET", "${clock}") or "0")) / 1000), (tonumber(redis.call("GET", "${clock}") or "0") % 1000) * 1000 }`,
    ),
  );
  const { take } = createRateLimiter({ redis, limit, windowMs: 1_000, prefix: uniqueName("rate"), script });
  const at = (ms: number) => redis.set(clock, ms);
  const granted = async (count: number, caller = "a") =>
    (await Promise.all(Array.from({ length: count }, () => take(caller)))).filter((permit) => permit.granted).length;
  return { take, at, granted };
}

test("a caller gets the limit and no more, however many ask at once", async () => {
  const { at, granted } = limiter(10);
  await at(1_000_000);
  expect(await granted(25)).toBe(10);
  expect(await granted(1)).toBe(0);
});

test("callers do not count for one another", async () => {
  const { at, granted } = limiter(3);
  await at(1_000_000);
  expect([await granted(5, "a"), await granted(5, "b")]).toEqual([3, 3]);
});

test("the window slides: what it leaves behind becomes free little by little", async () => {
  const { at, granted } = limiter(10);
  await at(1_000_900);
  expect(await granted(10)).toBe(10);
  await at(1_001_000);
  expect(await granted(1)).toBe(0);
  await at(1_001_500);
  expect(await granted(10)).toBe(5);
  await at(1_003_000);
  expect(await granted(11)).toBe(10);
});

test("two replicas share one limit", async () => {
  const prefix = uniqueName("rate");
  const replicas = [1, 2].map(() => createRateLimiter({ redis, limit: 10, windowMs: 3_600_000, prefix }));
  const permits = await Promise.all(Array.from({ length: 30 }, (_, n) => replicas[n % 2]!.take("a")));
  expect(permits.filter((permit) => permit.granted)).toHaveLength(10);
});

test("a permit tells what is left and when all is free again", async () => {
  const { at, take } = limiter(10);
  await at(1_000_250);
  expect(await take("a")).toEqual({ granted: true, remaining: 9, resetMs: 1_750, limitedBy: "caller" });
});

test("a caller takes from its own limit and its group's, in one script", async () => {
  const { take } = createRateLimiter({
    redis,
    limit: 10,
    groupLimit: 15,
    windowMs: 3_600_000,
    prefix: uniqueName("rate"),
  });
  const granted = async (count: number, caller: string, group: string) =>
    (await Promise.all(Array.from({ length: count }, () => take(caller, group)))).filter((permit) => permit.granted)
      .length;
  expect(await granted(12, "a", "g")).toBe(10);
  expect(await granted(12, "b", "g")).toBe(5);
  expect(await take("b", "g")).toMatchObject({ granted: false, remaining: 0, limitedBy: "group" });
  expect(await granted(12, "c", "h")).toBe(10);
});

test("without Redis each process applies both limits", async () => {
  const away = createRedis("redis://127.0.0.1:1", "gate");
  const { take } = createRateLimiter({ redis: away, limit: 3, groupLimit: 5, windowMs: 3_600_000 });
  const permits = [];
  for (const caller of ["a", "b"]) for (let n = 0; n < 4; n++) permits.push(await take(caller, "g"));
  expect(permits.map((permit) => permit.granted)).toEqual([true, true, true, false, true, true, false, false]);
  expect(permits.every((permit) => permit.fallback !== undefined)).toBeTrue();
  away.disconnect();
});
