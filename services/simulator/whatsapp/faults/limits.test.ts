import { describe, expect, test } from "bun:test";
import { Limits } from "./limits.ts";

const under = (settings: Limits["settings"]) => Object.assign(new Limits(), { settings });

describe("Limits", () => {
  test("accept everything by default", () => {
    const limits = new Limits();
    for (let i = 0; i < 1_000; i++) expect(limits.refuse("1", String(i), 0)).toBeUndefined();
  });

  test("refuse a sender's excess messages with 429", () => {
    const limits = under({ messages_per_minute: 3 });
    const answers = [0, 1, 2, 3].map((now) => limits.refuse("1", "9", now));
    expect(answers).toEqual([undefined, undefined, undefined, "429"]);
    expect(limits.refuse("2", "9", 4)).toBeUndefined();
    expect(limits.refuse("1", "9", 70_000)).toBeUndefined();
  });

  test("refuse new chats with 463 but not answers", () => {
    const limits = under({ new_chats_per_minute: 1 });
    limits.recordIncoming("8", "1");
    expect(limits.refuse("1", "9", 0)).toBeUndefined();
    expect(limits.refuse("1", "9", 1)).toBeUndefined();
    expect(limits.refuse("1", "8", 2)).toBeUndefined();
    expect(limits.refuse("1", "7", 3)).toBe("463");
    expect(limits.refuse("1", "7", 70_000)).toBeUndefined();
  });
});
