import { afterAll, describe, expect, test } from "bun:test";
import { testRedisUrl, uniqueName } from "../testing/servers.ts";
import { until } from "../testing/until.ts";
import { createRedis } from "./client.ts";
import { acquireLease } from "./lease.ts";

const redis = createRedis(testRedisUrl(), "command");
afterAll(() => redis.quit());

describe("acquireLease", () => {
  test("grants one of a hundred concurrent requests", async () => {
    const key = uniqueName("lease");
    const leases = await Promise.all(Array.from({ length: 100 }, () => acquireLease(redis, key, 60_000)));
    expect(leases.filter(Boolean)).toHaveLength(1);
    await leases.find(Boolean)!.release();
    expect(await redis.exists(key)).toBe(0);
  });

  test("an expired lease ignores its former holder", async () => {
    const key = uniqueName("lease");
    const old = (await acquireLease(redis, key, 30))!;
    const next = await until(() => acquireLease(redis, key, 60_000), { what: "the lease to run out" });
    expect(await old.renew()).toBeFalse();
    await old.release();
    expect(await redis.get(key)).toBe(next.token);
    expect(await next.renew()).toBeTrue();
    await next.release();
  });
});

describe("createRedis", () => {
  test("a command fails fast while Redis is unavailable", async () => {
    const unavailable = createRedis("redis://127.0.0.1:1", "command");
    const start = performance.now();
    await expect(unavailable.ping()).rejects.toThrow();
    // The client retries for ever without its limits.
    expect(performance.now() - start).toBeLessThan(20_000);
    unavailable.disconnect();
  });
});
