import { describe, expect, test } from "bun:test";
import { scriptConsul } from "../testing/scripted_consul.ts";
import { until } from "../testing/until.ts";
import { followValue } from "./live_value.ts";

const entry = (value: string) => [
  { Value: Buffer.from(value).toString("base64"), ModifyIndex: 9, LockIndex: 1, Session: "s" },
];
const follow = (answers: Parameters<typeof scriptConsul>[0]) => {
  const [stop, seen] = [new AbortController(), [] as number[]];
  const { consul, isOver } = scriptConsul(answers);
  followValue({
    consul,
    key: "n",
    first: 1,
    parse: Number,
    signal: stop.signal,
    onChange: (value) => seen.push(value),
  });
  return { seen, over: () => until(isOver, { what: "the last answer" }).finally(() => stop.abort()) };
};

describe("followValue after an outage", () => {
  test("ignores a stale answer of a restarted server", async () => {
    const { seen, over } = follow([
      { index: 400, body: entry("5") },
      "away",
      { index: 303, body: null },
      { index: 410, body: entry("5") },
    ]);
    await over();
    expect(seen).toEqual([5]);
  });

  test("accepts a changed value once it is confirmed", async () => {
    const { seen, over } = follow([
      { index: 400, body: entry("5") },
      "away",
      { index: 410, body: entry("6") },
      { index: 410, body: entry("6") },
    ]);
    await over();
    expect(seen).toEqual([5, 6]);
  });
});
