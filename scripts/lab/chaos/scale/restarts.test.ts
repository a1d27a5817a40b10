import { describe, expect, test } from "bun:test";
import type { Known } from "./restarts.ts";
import { unneededRestarts } from "./restarts.ts";

const task = (over: Partial<Known> = {}): Known => ({
  ID: "a",
  Name: "api.api[0]",
  TaskGroup: "api",
  ClientStatus: "running",
  DesiredStatus: "run",
  job: "api",
  index: 0,
  restarts: 0,
  ...over,
});
const noneEnds = () => false;

describe("unneededRestarts", () => {
  test("ignores unchanged, new and already ended tasks", () => {
    const ended = task({ ID: "old", ClientStatus: "complete", DesiredStatus: "stop" });
    expect(unneededRestarts([task(), ended], [task(), ended, task({ ID: "new" })], noneEnds)).toEqual([]);
  });

  test("counts restarts and unexpectedly ended allocations", () => {
    expect(unneededRestarts([task({ restarts: 1 })], [task({ restarts: 3 })], noneEnds)).toHaveLength(2);
    expect(unneededRestarts([task()], [task({ ClientStatus: "failed" })], noneEnds)).toEqual(["api.api[0] ended"]);
    expect(unneededRestarts([task()], [], noneEnds)).toHaveLength(1);
  });

  test("accepts allocations that the step may end", () => {
    expect(
      unneededRestarts(
        [task()],
        [task({ ClientStatus: "complete", DesiredStatus: "stop" })],
        ({ job }) => job === "api",
      ),
    ).toEqual([]);
  });
});
