import { describe, expect, test } from "bun:test";
import type { Event, State } from "../session/states.ts";
import { Reopening } from "./reopening.ts";

/** A process that starts with these sessions marked as open, of `resident`. */
function started(marked: readonly string[], resident: readonly string[] = marked) {
  const marks = new Set(marked);
  const reopening = new Reopening({
    has: (business) => marks.has(business),
    set: (business) => void marks.add(business),
    clear: (business) => void marks.delete(business),
  });
  reopening.start(resident);
  const enter = (business: string, state: State, event: Event = { is: "due" }) =>
    reopening.entered(business, state, event);
  return { reopening, marks, enter };
}

const open: State = { is: "open", at: 0, attempt: 1 };
const waiting = (attempt: number): State => ({ is: "waiting", reason: "", attempt });
const names = (count: number) => Array.from({ length: count }, (_, index) => `b${index}`);

describe("Reopening", () => {
  test("is done once each marked session was open", () => {
    const { reopening, enter } = started(["a", "b"], ["a", "b", "c"]);
    enter("a", open, { is: "opened" });
    expect(reopening.view).toEqual({ done: false, expected: 2, waiting: 1, ended: 0 });
    enter("b", open, { is: "opened" });
    expect(reopening.view).toEqual({ done: true, expected: 2, waiting: 0, ended: 0 });
  });

  test("is done at once without marks, not before start", () => {
    expect(started([], ["a"]).reopening.view.done).toBeTrue();
    const none = new Reopening({ has: () => false, set: () => {}, clear: () => {} });
    expect(none.view.done).toBeFalse();
  });

  test("stays done when a session closes later", () => {
    const { reopening, enter } = started(["a"]);
    enter("a", open, { is: "opened" });
    expect(reopening.view.done).toBeTrue();
    enter("a", waiting(1), { is: "ended", code: 428 });
    expect(reopening.view.done).toBeTrue();
  });

  test("waits for no session that ended permanently", () => {
    const ends: State[] = [
      { is: "logged_out", reason: "" },
      { is: "banned", reason: "", until: 1 },
      { is: "conflict", reason: "" },
      { is: "disconnected", stopped: true },
    ];
    for (const state of ends) {
      const { reopening, marks, enter } = started(["a"]);
      enter("a", state, { is: "resume", afterMs: 0 });
      expect([state.is, reopening.view.done, marks.has("a")]).toEqual([state.is, true, false]);
    }
  });

  test("is never done when most sessions end", () => {
    const { reopening, enter } = started(names(4));
    for (const name of names(3)) enter(name, { is: "logged_out", reason: "" }, { is: "ended", code: 401 });
    enter("b3", open, { is: "opened" });
    expect(reopening.view).toEqual({ done: false, expected: 4, waiting: 0, ended: 3 });
  });

  test("waits for a session whose store it cannot use", () => {
    const { reopening, enter } = started(["a"]);
    enter("a", { is: "auth_error", reason: "" }, { is: "store_invalid", reason: "" });
    enter("a", { is: "disconnected", reason: "" }, { is: "store_unavailable", reason: "" });
    expect(reopening.view.done).toBeFalse();
  });

  test("waits for no session that has moved away", () => {
    const { reopening } = started(["a"]);
    reopening.left("a");
    expect(reopening.view.done).toBeTrue();
  });

  test("tolerates one closed session in twenty", () => {
    const marked = names(40);
    const { reopening, enter } = started(marked);
    for (const name of marked.slice(3)) enter(name, open, { is: "opened" });
    expect(reopening.view).toMatchObject({ done: false, waiting: 3 });
    enter("b0", open, { is: "opened" });
    expect(reopening.view).toMatchObject({ done: true, waiting: 2 });
  });

  test("keeps the marks of open sessions when it stops", () => {
    const { marks, enter } = started([], ["a"]);
    enter("a", open, { is: "opened" });
    enter("a", { is: "disconnected" }, { is: "stop" });
    expect(marks.has("a")).toBeTrue();
  });

  test("forgets a session that was long closed", () => {
    const { marks, enter } = started(["a"]);
    enter("a", waiting(7));
    expect(marks.has("a")).toBeTrue();
    enter("a", waiting(8));
    expect(marks.has("a")).toBeFalse();
  });
});
