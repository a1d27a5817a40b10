import { describe, expect, test } from "bun:test";
import { ShardBackoff } from "./backoff.ts";

describe("ShardBackoff", () => {
  test("runs other shards while one backs off", () => {
    const backoff = new ShardBackoff();
    expect(backoff.next([1, 2], 0)).toEqual([1, 2]);
    backoff.fail([1], 0);
    expect(backoff.next([1, 2], 60_000)).toEqual([2]);
    expect(backoff.next([1], 29_999)).toEqual([]);
    expect(backoff.next([1], 30_000)).toEqual([1]);
  });

  test("retries failed shards one by one", () => {
    const backoff = new ShardBackoff();
    backoff.fail([1, 2], 0);
    expect(backoff.next([1, 2], 30_000)).toEqual([1]);
    backoff.fail([1], 30_000);
    expect(backoff.next([1, 2], 30_000)).toEqual([2]);
  });

  test("doubles the delay up to ten minutes", () => {
    const backoff = new ShardBackoff();
    for (const delay of [30_000, 60_000, 120_000, 240_000, 480_000, 600_000, 600_000]) {
      backoff.fail([1], 0);
      expect(backoff.next([1], delay - 1)).toEqual([]);
      expect(backoff.next([1], delay)).toEqual([1]);
    }
    backoff.succeed([1]);
    expect(backoff.next([1], 0)).toEqual([1]);
  });
});
