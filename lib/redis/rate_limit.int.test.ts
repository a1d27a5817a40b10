import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Redis } from "ioredis";
import { testRedisUrl, uniqueName } from "../testing/servers.ts";
import { createRedis } from "./client.ts";
import { createRateLimiter, rateLimitScript } from "./rate_limit.ts";

let redis: Redis;
beforeAll(() => {
  redis = createRedis(testRedisUrl(), "command");
});
afterAll(() => redis.disconnect());

/** A limiter with a clock that the test sets. */
function limiter(limit: number) {
  const clock = uniqueName("clock");
  const ms = `tonumber(redis.call("GET", "${clock}") or "0")`;
  const script = rateLimitScript((lua) =>
    lua.replace('redis.call("TIME")', `{ math.floor(${ms} / 1000), (${ms} % 1000) * 1000 }`),
  );
  const { take } = createRateLimiter({ redis, limit, windowMs: 1_000, prefix: uniqueName("rate"), script });
  const at = (ms: number) => redis.set(clock, ms);
  const granted = async (count: number, caller = "a") =>
    (await Promise.all(Array.from({ length: count }, () => take(caller)))).filter((permit) => permit.granted).length;
  return { take, at, granted };
}

describe("createRateLimiter", () => {
  test("grants exactly the limit to concurrent requests", async () => {
    const { at, granted } = limiter(10);
    await at(1_000_000);
    expect(await granted(25)).toBe(10);
    expect(await granted(1)).toBe(0);
  });

  test("counts each caller separately", async () => {
    const { at, granted } = limiter(3);
    await at(1_000_000);
    expect([await granted(5, "a"), await granted(5, "b")]).toEqual([3, 3]);
  });

  test("frees capacity gradually as the window slides", async () => {
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

  test("shares one limit between replicas", async () => {
    const prefix = uniqueName("rate");
    const replicas = [1, 2].map(() => createRateLimiter({ redis, limit: 10, windowMs: 3_600_000, prefix }));
    const permits = await Promise.all(Array.from({ length: 30 }, (_, n) => replicas[n % 2]!.take("a")));
    expect(permits.filter((permit) => permit.granted)).toHaveLength(10);
  });

  test("reports the remaining requests and the reset time", async () => {
    const { at, take } = limiter(10);
    await at(1_000_250);
    expect(await take("a")).toEqual({ granted: true, remaining: 9, resetMs: 1_750, limitedBy: "caller" });
  });

  test("applies the caller's and the group's limit", async () => {
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

  test("applies both limits in the process without Redis", async () => {
    const unavailable = createRedis("redis://127.0.0.1:1", "gate");
    const { take } = createRateLimiter({ redis: unavailable, limit: 3, groupLimit: 5, windowMs: 3_600_000 });
    const permits = [];
    for (const caller of ["a", "b"]) for (let n = 0; n < 4; n++) permits.push(await take(caller, "g"));
    expect(permits.map((permit) => permit.granted)).toEqual([true, true, true, false, true, true, false, false]);
    expect(permits.every((permit) => permit.fallback !== undefined)).toBeTrue();
    unavailable.disconnect();
  });
});
