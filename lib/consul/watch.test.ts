import { describe, expect, test } from "bun:test";
import { until } from "../testing/until.ts";
import type { BlockingAnswer, ConsulClient } from "./client.ts";
import { nextIndex, spacingMs, watch } from "./watch.ts";

describe("nextIndex", () => {
  test("continues with the answered index", () => {
    expect(nextIndex(0, 10)).toBe(10);
    expect(nextIndex(10, 12)).toBe(12);
  });

  test("resets to 0 after a query that timed out", () => {
    expect(nextIndex(10, 10)).toBe(0);
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

/** Follows scripted answers: an Error is an outage, the last one repeats. Returns the values and queries so far. */
function follow(answers: readonly (BlockingAnswer | Error)[], replayMs?: number) {
  const stop = new AbortController();
  const values: unknown[] = [];
  const asked: string[] = [];
  let contacts = 0;
  const blockingGet = async (path: string, { index }: { index: number }): Promise<BlockingAnswer> => {
    const answer = answers[Math.min(asked.length, answers.length - 1)]!;
    asked.push(`${path} ${index}`);
    if (answer instanceof Error) throw answer;
    return answer;
  };
  void watch({
    consul: { blockingGet } as unknown as ConsulClient,
    path: "/x?stale=1",
    parse: (body) => body,
    onChange: (value) => values.push(value),
    onContact: () => (contacts += 1),
    signal: stop.signal,
    ...(replayMs === undefined ? {} : { replayMs }),
  });
  return { values, asked, contacts: () => contacts, stop: () => stop.abort() };
}

describe("watch", () => {
  test("discards the state of a server that is behind", async () => {
    const followed = follow([
      { index: 100, body: "b" },
      { index: 90, body: "a" },
      { index: 100, body: "b" },
      { index: 110, body: "c" },
    ]);
    await until(() => followed.values.includes("c"), { what: "the last value" });
    followed.stop();
    expect(followed.values).toEqual(["b", "c"]);
    expect(followed.asked.slice(0, 3)).toEqual(["/x?stale=1 0", "/x?stale=1 100", "/x?stale=1 0"]);
  });

  test("asks for the state after a timeout", async () => {
    const followed = follow([{ index: 100, body: "a", leaderSeenMs: 5 }]);
    await until(() => followed.asked.length >= 4, { what: "four queries" });
    followed.stop();
    expect(followed.asked.slice(0, 4)).toEqual(["/x?stale=1 0", "/x?stale=1 100", "/x?stale=1 0", "/x?stale=1 100"]);
  });

  test("asks the leader past a server without contact", async () => {
    const followed = follow([
      { index: 100, body: "a", leaderSeenMs: 60_000 },
      { index: 120, body: "b" },
      { index: 130, body: "c" },
    ]);
    await until(() => followed.values.includes("c"), { what: "the last value" });
    followed.stop();
    expect(followed.values).toEqual(["a", "b", "c"]);
    expect(followed.asked.slice(0, 3)).toEqual(["/x?stale=1 0", "/x?leader=1 0", "/x?stale=1 120"]);
  });

  test("keeps the value while there is no leader", async () => {
    const cutOff = { index: 100, body: "a", leaderSeenMs: 60_000 };
    const followed = follow([cutOff, new Error("No cluster leader"), cutOff]);
    await until(() => followed.asked.length >= 3, { what: "the next query" });
    followed.stop();
    expect(followed.values).toEqual(["a"]);
    expect(followed.asked[2]).toBe("/x?stale=1 100");
    expect(followed.contacts()).toBe(0);
  });
});

describe("watch after an outage", () => {
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
    expect(followed.asked).toHaveLength(3);
  });

  test("accepts a restored backup in the end", async () => {
    const followed = follow([{ index: 100, body: "new" }, outage, { index: 7, body: "restored" }], 300);
    await until(() => followed.values.length === 2, { what: "the restored value" });
    followed.stop();
    expect(followed.values).toEqual(["new", "restored"]);
    expect(followed.asked.length).toBeGreaterThan(3);
  });
});
