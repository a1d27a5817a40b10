import { describe, expect, test } from "bun:test";
import { until } from "../testing/until.ts";
import type { BlockingAnswer, ConsulClient } from "./client.ts";
import { nextIndex, spacingMs, watch } from "./watch.ts";

describe("nextIndex", () => {
  test("continues with the answered index", () => {
    expect(nextIndex(10, 12)).toBe(12);
    expect(nextIndex(10, 10)).toBe(10);
  });

  test("resets to 0 when the index goes backwards", () => {
    expect(nextIndex(10, 9)).toBe(0);
    expect(nextIndex(5, Number.NaN)).toBe(0);
  });

  test("never blocks on 0", () => {
    expect(nextIndex(0, 0)).toBe(1);
  });
});

describe("spacingMs", () => {
  test("grows with the size of the value", () => {
    expect(spacingMs(100)).toBe(20);
    expect(spacingMs(60_000)).toBe(200);
  });
});

describe("watch after an outage", () => {
  /** Follows scripted answers: an Error is an outage, the last one repeats. Returns the values so far. */
  function follow(answers: readonly (BlockingAnswer | Error)[], replayMs?: number) {
    const stop = new AbortController();
    const values: unknown[] = [];
    let next = 0;
    const blockingGet = async (): Promise<BlockingAnswer> => {
      const answer = answers[Math.min(next++, answers.length - 1)]!;
      if (answer instanceof Error) throw answer;
      return answer;
    };
    const consul = { blockingGet } as unknown as ConsulClient;
    void watch({
      consul,
      path: "/",
      parse: (body) => body,
      onChange: (value) => values.push(value),
      signal: stop.signal,
      ...(replayMs === undefined ? {} : { replayMs }),
    });
    return { values, asked: () => next, stop: () => stop.abort() };
  }

  const outage = new Error("no leader");

  test("ignores a server that replays its log", async () => {
    const followed = follow([
      { index: 100, body: ["a", "b"] },
      outage,
      { index: 40, body: [] },
      { index: 60, body: ["a"] },
      { index: 130, body: ["b"] },
    ]);
    await until(() => followed.values.length === 2, { what: "the value after the replay" });
    followed.stop();
    expect(followed.values).toEqual([["a", "b"], ["b"]]);
  });

  test("accepts a newer value at once", async () => {
    const followed = follow([{ index: 100, body: "a" }, outage, { index: 101, body: "b" }]);
    await until(() => followed.values.length === 2, { what: "the newer value" });
    followed.stop();
    expect(followed.asked()).toBe(3);
  });

  test("accepts a restored backup in the end", async () => {
    const followed = follow([{ index: 100, body: "new" }, outage, { index: 7, body: "restored" }], 300);
    await until(() => followed.values.length === 2, { what: "the restored value" });
    followed.stop();
    expect(followed.values).toEqual(["new", "restored"]);
    expect(followed.asked()).toBeGreaterThan(3);
  });
});
