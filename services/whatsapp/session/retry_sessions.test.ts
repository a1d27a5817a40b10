import { describe, expect, test } from "bun:test";
import { RetrySessions } from "./retry_sessions.ts";

/** Creates sessions as the repository does. `retry` returns true if it created one. */
function device() {
  const sessions = new RetrySessions();
  const retry = (address: string, ...ids: string[]) => {
    if (sessions.recordResend(address, ids)) return false;
    sessions.recordSession(address, ids);
    return true;
  };
  return { sessions, retry };
}

describe("the session for a repeated message", () => {
  test("serves all messages from before it", () => {
    const { retry } = device();
    expect(["A", "B", "C"].map((id) => retry("1.0", id))).toEqual([true, false, false]);
  });

  test("is replaced if a message fails under it", () => {
    const { retry } = device();
    retry("1.0", "A");
    expect(["B", "B", "A"].map((id) => retry("1.0", id))).toEqual([false, true, false]);
  });

  test("counts each message of a receipt", () => {
    const { retry } = device();
    retry("1.0", "A", "B");
    expect(retry("1.0", "C", "B")).toBeTrue();
  });

  test("is kept per device", () => {
    const { retry } = device();
    expect(["1.0", "1.1", "2.0"].map((address) => retry(address, "A"))).toEqual([true, true, true]);
  });

  test("is replaced after hundreds of messages", () => {
    const { retry } = device();
    const created = Array.from({ length: 1_000 }, (_, n) => retry("1.0", `${n}`)).filter(Boolean);
    expect(created).toHaveLength(10);
  });

  test("serves no message once it is forgotten", () => {
    const { sessions } = device();
    sessions.recordSession("1.0", ["A"]);
    sessions.forget("1.0");
    expect(sessions.recordResend("1.0", ["B"])).toBeFalse();
  });
});
