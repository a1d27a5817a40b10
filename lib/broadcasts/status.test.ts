import { describe, expect, test } from "bun:test";
import { after, broadcastStatuses, broadcastVerbs } from "./status.ts";

describe("transitions of a broadcast", () => {
  test("keeps final statuses", () => {
    for (const verb of broadcastVerbs) {
      expect(after(verb, "completed")).toBeUndefined();
      expect(after(verb, "cancelled")).toBe(verb === "cancel" ? "cancelled" : undefined!);
    }
  });

  test("is idempotent", () => {
    for (const verb of broadcastVerbs) {
      for (const status of broadcastStatuses) {
        const once = after(verb, status);
        if (once !== undefined) expect(after(verb, once)).toBe(once);
      }
    }
    expect(after("start", "running")).toBe("running");
  });

  test("resumes a paused broadcast, never a draft", () => {
    expect(after("resume", after("pause", "running")!)).toBe("scheduled");
    expect(after("pause", "draft")).toBeUndefined();
    expect(after("resume", "draft")).toBeUndefined();
  });
});
