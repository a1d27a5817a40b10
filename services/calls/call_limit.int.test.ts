import { afterAll, describe, expect, test } from "bun:test";
import { createConsul, kvPut } from "../../lib/consul/client.ts";
import { createRedis } from "../../lib/redis/client.ts";
import { testConsulAddr, testRedisUrl, uniqueName } from "../../lib/testing/servers.ts";
import { until } from "../../lib/testing/until.ts";
import { createLimitMemory, followCallLimit, parseLimit } from "./call_limit.ts";

const consul = createConsul({ addr: testConsulAddr() });
const stop = new AbortController();
afterAll(() => stop.abort());

describe("followCallLimit", () => {
  test("uses the default until the key is valid", async () => {
    const key = uniqueName("test/max_concurrent");
    const errors: unknown[] = [];
    const limit = followCallLimit({
      consul,
      first: 50,
      signal: stop.signal,
      key,
      onError: (error) => errors.push(error),
    });
    expect(limit.current()).toBe(50);
    await kvPut(consul, key, "150");
    await until(() => limit.current() === 150, { what: "the raised limit" });
    await kvPut(consul, key, "plenty");
    await until(() => errors.length > 0, { what: "the complaint" });
    expect(limit.current()).toBe(150);
    await kvPut(consul, key, " 0\n");
    await until(() => limit.current() === 0, { what: "the lowered limit" });
  });

  test("accepts whole numbers within bounds only", () => {
    expect(["0", " 7 ", "100000"].map(parseLimit)).toEqual([0, 7, 100_000]);
    expect(["", "-1", "1.5", "1e3", "100001", "0x10", "fifty"].map(parseLimit)).toEqual([
      null,
      null,
      null,
      null,
      null,
      null,
      null,
    ]);
  });
});

describe("a lost limit", () => {
  const redis = createRedis(testRedisUrl(), "command");
  afterAll(() => redis.disconnect());
  const follow = (key: string, errors: unknown[] = []) =>
    followCallLimit({
      consul,
      first: 50,
      signal: stop.signal,
      key,
      memory: createLimitMemory({ redis, prefix: key }),
      onError: (error) => errors.push(error),
    });

  test("keeps the last known value and is reported", async () => {
    const key = uniqueName("test/max_concurrent");
    const errors: unknown[] = [];
    const limit = follow(key, errors);
    await limit.ready;
    expect([limit.current(), limit.lost()]).toEqual([50, false]);
    await kvPut(consul, key, "7");
    await until(() => limit.current() === 7, { what: "the limit" });
    await consul.api.kv.del(key);
    await until(() => limit.lost(), { what: "the loss" });
    expect(limit.current()).toBe(7);
    expect(String(errors.at(-1))).toContain("the last known value 7 stays");
    await kvPut(consul, key, "9");
    await until(() => !limit.lost() && limit.current() === 9, { what: "the key again" });
  });

  test("is known to a replica that starts later", async () => {
    const key = uniqueName("test/max_concurrent");
    const before = follow(key);
    await kvPut(consul, key, "8");
    await until(() => before.current() === 8, { what: "the limit" });
    await until(async () => (await redis.get(`${key}:last_limit`)) === "8", { what: "the memory" });
    await consul.api.kv.del(key);
    await until(() => before.lost(), { what: "the loss" });
    const after = follow(key);
    await after.ready;
    await until(() => after.lost(), { what: "the loss in the new replica" });
    expect(after.current()).toBe(8);
  });

  test("does not wait for an unavailable Redis", async () => {
    const key = uniqueName("test/max_concurrent");
    await kvPut(consul, key, "6");
    const errors: unknown[] = [];
    const away = { read: () => Promise.reject(new Error("away")), write: () => Promise.reject(new Error("away")) };
    const options = { consul, first: 50, signal: stop.signal, key, memory: away };
    const limit = followCallLimit({ ...options, onError: (error) => errors.push(error) });
    await until(() => limit.current() === 6, { what: "the limit" });
    await until(() => errors.length === 2, { what: "both errors" });
  });
});
