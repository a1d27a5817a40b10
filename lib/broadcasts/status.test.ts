import { expect, test } from "bun:test";
import { after, broadcastStatuses, broadcastVerbs } from "./status.ts";

test("what has ended stays as it is", () => {
  for (const verb of broadcastVerbs) {
    expect(after(verb, "completed")).toBeUndefined();
    expect(after(verb, "cancelled")).toBe(verb === "cancel" ? "cancelled" : undefined!);
  }
});

test("to ask twice is to ask once", () => {
  for (const verb of broadcastVerbs) {
    for (const status of broadcastStatuses) {
      const once = after(verb, status);
      if (once !== undefined) expect(after(verb, once)).toBe(once);
    }
  }
  expect(after("start", "running")).toBe("running");
});

test("a pause can be resumed, and a draft neither paused nor resumed", () => {
  expect(after("resume", after("pause", "running")!)).toBe("scheduled");
  expect(after("pause", "draft")).toBeUndefined();
  expect(after("resume", "draft")).toBeUndefined();
});
