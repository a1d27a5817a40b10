import { describe, expect, test } from "bun:test";
import type { AppError } from "../core/errors.ts";
import { until } from "../testing/until.ts";
import { createUsageCache } from "./usage_cache.ts";
import type { Usage, UsageCacheOptions } from "./usage_cache.ts";

const usage = (items: number, limit = 10): Usage<"items"> => ({ used: { items }, limits: { items: limit } });

function createCache(options: Partial<UsageCacheOptions<"items">> = {}) {
  return createUsageCache<"items">({
    read: async () => usage(0),
    limits: { items: 10 },
    advice: { items: "Retry." },
    ...options,
  });
}
const refused = { code: "quota_exceeded", detail: { quota: "items", limit: 10 } };
const errorOf = (work: () => unknown) => {
  try {
    work();
  } catch (error) {
    return error as AppError;
  }
  return undefined;
};

describe("usage cache", () => {
  test("admits without waiting for the first read", () => {
    const cache = createCache({ read: () => new Promise(() => {}) });
    cache.hold("a", { items: 10 }).keep();
    expect(errorOf(() => cache.hold("a", { items: 1 }))).toMatchObject(refused);
    expect(errorOf(() => cache.hold("b", { items: 10 }))).toBeUndefined();
  });

  test("ends the wait for a read at the deadline", async () => {
    const read = Promise.withResolvers<Usage<"items">>();
    const cache = createCache({ read: () => read.promise });
    const patient = cache.known("a");
    await cache.known("a", performance.now() + 10);
    read.resolve(usage(10));
    await patient;
    expect(errorOf(() => cache.hold("a", { items: 1 }))).toMatchObject(refused);
  });

  test("gives released amounts back, and kept ones not", async () => {
    const cache = createCache();
    const hold = cache.hold("a", { items: 10 });
    expect(errorOf(() => cache.hold("a", { items: 1 }))).toMatchObject(refused);
    hold.release();
    const kept = cache.hold("a", { items: 6 });
    kept.keep();
    kept.release();
    expect(errorOf(() => cache.hold("a", { items: 5 }))).toMatchObject(refused);
  });

  test("keeps the previous amounts after a refused resize", () => {
    const cache = createCache();
    const hold = cache.hold("a", { items: 4 });
    expect(errorOf(() => hold.resize({ items: 11 }))).toMatchObject(refused);
    hold.keep();
    expect(errorOf(() => cache.hold("a", { items: 6 }))).toBeUndefined();
  });

  test("reads once per business and period", async () => {
    const read: string[] = [];
    const cache = createCache({
      read: async (businessId) => {
        read.push(businessId);
        return usage(3);
      },
    });
    for (let n = 0; n < 100; n += 1) cache.hold("a", { items: 1 }).release();
    await cache.known("a");
    await cache.known("b");
    expect(read).toEqual(["a", "b"]);
    expect(errorOf(() => cache.hold("a", { items: 8 }))).toMatchObject(refused);
  });

  test("adds amounts that were kept during a read", async () => {
    const reading = Promise.withResolvers<Usage<"items">>();
    const cache = createCache({ read: () => reading.promise });
    cache.hold("a", { items: 2 }).keep();
    reading.resolve(usage(7));
    await cache.known("a");
    expect(errorOf(() => cache.hold("a", { items: 2 }))).toMatchObject(refused);
    expect(errorOf(() => cache.hold("a", { items: 1 }))).toBeUndefined();
  });

  test("applies the limit of the business once read", async () => {
    const cache = createCache({ read: async () => usage(0, 20) });
    await cache.known("a");
    expect(errorOf(() => cache.hold("a", { items: 20 }))).toBeUndefined();
    expect(errorOf(() => cache.hold("a", { items: 1 }))).toMatchObject({ detail: { quota: "items", limit: 20 } });
  });

  test("follows usage down with the next read", async () => {
    let used = 10;
    const cache = createCache({ read: async () => usage(used), refreshMs: 0 });
    await cache.known("a");
    expect(errorOf(() => cache.hold("a", { items: 1 }))).toMatchObject(refused);
    used = 0;
    const admitted = async () => {
      await cache.known("a");
      return errorOf(() => cache.hold("a", { items: 10 })) === undefined;
    };
    await until(admitted, { deadlineMs: 5_000, what: "a read of the lower usage" });
  });

  test("reads a slow usage less often", async () => {
    let reads = 0;
    const read = async () => {
      reads += 1;
      const end = performance.now() + 20;
      while (performance.now() < end);
      return usage(0);
    };
    const cache = createCache({ read, refreshMs: 0 });
    for (let n = 0; n < 10; n += 1) await cache.known("a");
    expect(reads).toBe(1);
  });

  test("keeps the previous usage after a failed read", async () => {
    const errors: unknown[] = [];
    const cache = createCache({
      read: () => Promise.reject(new Error("away")),
      onError: (error) => errors.push(error),
    });
    await cache.known("a");
    expect(errors).toHaveLength(1);
    expect(errorOf(() => cache.hold("a", { items: 10 }))).toBeUndefined();
  });

  test("evicts the least recently used business", async () => {
    const cache = createCache({ maxBusinesses: 2 });
    cache.hold("a", { items: 10 }).keep();
    cache.hold("b", { items: 10 }).keep();
    expect(errorOf(() => cache.hold("a", { items: 1 }))).toMatchObject(refused);
    cache.hold("c", { items: 1 });
    expect(errorOf(() => cache.hold("a", { items: 1 }))).toMatchObject(refused);
    expect(errorOf(() => cache.hold("b", { items: 1 }))).toBeUndefined();
  });
});
