import { describe, expect, test } from "bun:test";
import { RetrySessions } from "./retry_sessions.ts";

describe("the session for a repeated message", () => {
  test("serves all messages from before it", () => {
    const sessions = new RetrySessions();
    expect(["A", "B", "C"].map((id) => sessions.needsNew("1.0", id))).toEqual([true, false, false]);
  });

  test("is replaced if a message fails under it", () => {
    const sessions = new RetrySessions();
    sessions.needsNew("1.0", "A");
    expect(["B", "B", "A"].map((id) => sessions.needsNew("1.0", id))).toEqual([false, true, false]);
  });

  test("is one of its device", () => {
    const sessions = new RetrySessions();
    expect(["1.0", "1.1", "2.0"].map((address) => sessions.needsNew(address, "A"))).toEqual([true, true, true]);
  });

  test("is replaced after hundreds of messages", () => {
    const sessions = new RetrySessions();
    const created = Array.from({ length: 1_000 }, (_, n) => sessions.needsNew("1.0", `${n}`)).filter(Boolean);
    expect(created).toHaveLength(2);
  });
});
