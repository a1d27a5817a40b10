import { expect, test } from "bun:test";
import type { Known } from "./tasks.ts";
import { unneededRestarts } from "./tasks.ts";

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
const nobody = () => false;

test("what runs on as it was is no restart, nor is what begins or had ended before", () => {
  const ended = task({ ID: "old", ClientStatus: "complete", DesiredStatus: "stop" });
  expect(unneededRestarts([task(), ended], [task(), ended, task({ ID: "new" })], nobody)).toEqual([]);
});

test("each restart counts, and an allocation that ended unasked", () => {
  expect(unneededRestarts([task({ restarts: 1 })], [task({ restarts: 3 })], nobody)).toHaveLength(2);
  expect(unneededRestarts([task()], [task({ ClientStatus: "failed" })], nobody)).toEqual(["api.api[0] ended"]);
  expect(unneededRestarts([task()], [], nobody)).toHaveLength(1);
});

test("an allocation that was to go may go", () => {
  expect(
    unneededRestarts([task()], [task({ ClientStatus: "complete", DesiredStatus: "stop" })], ({ job }) => job === "api"),
  ).toEqual([]);
});
