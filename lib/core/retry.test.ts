import { describe, expect, test } from "bun:test";
import { backoff, retry } from "./retry.ts";

describe("backoff", () => {
  test("doubles the delay up to the cap", () => {
    const delays = [1, 2, 3, 4, 5].map((attempt) => backoff({ attempt, baseMs: 100, maxMs: 1000, jitter: 0 }));
    expect(delays).toEqual([100, 200, 400, 800, 1000]);
    expect(backoff({ attempt: 10_000, baseMs: 100, maxMs: 1000 })).toBeLessThanOrEqual(1000);
  });

  test("jitter shortens a delay by at most its share", () => {
    expect(backoff({ attempt: 1, baseMs: 100, maxMs: 1000, jitter: 0.5 }, () => 1)).toBe(50);
    expect(backoff({ attempt: 1, baseMs: 100, maxMs: 1000, jitter: 0.5 }, () => 0)).toBe(100);
  });
});

describe("retry", () => {
  test("returns the first success or throws the last error", async () => {
    let calls = 0;
    const flaky = async () => {
      calls += 1;
      if (calls < 3) throw new Error(`failure ${calls}`);
      return calls;
    };
    expect(await retry(flaky, { attempts: 3, baseMs: 1, maxMs: 1 })).toBe(3);
    calls = 0;
    await expect(retry(flaky, { attempts: 2, baseMs: 1, maxMs: 1 })).rejects.toThrow("failure 2");
  });

  test("stops at an error that is not retryable", async () => {
    let calls = 0;
    const fatal = async () => {
      calls += 1;
      throw new Error("fatal");
    };
    await expect(retry(fatal, { attempts: 5, baseMs: 1, maxMs: 1, retryIf: () => false })).rejects.toThrow("fatal");
    expect(calls).toBe(1);
  });
});
