import { describe, expect, test } from "bun:test";
import { knownEnds } from "./ends.ts";
import type { EndSource } from "./ends.ts";
import { idle, now, open, qr, run, shown, step, waitOf } from "./transition.fixture.ts";

describe("an open connection that ends", () => {
  const after = (code: number, source?: EndSource, conflict?: string) =>
    step(open, { is: "ended", code, source, conflict });

  test.each([428, 503, 408, 500, 515, 599])("%d: waits and connects again", (code) => {
    const { state, actions } = after(code);
    expect(state.is).toBe("waiting");
    expect(waitOf(actions)).toBeLessThanOrEqual(5_000);
    expect(step(state, { is: "due" }).actions).toEqual([{ do: "connect" }]);
  });

  test("440: stops with an alarm until a connect", () => {
    const { state, actions } = after(440, "stream_error", "replaced");
    expect(state.is).toBe("conflict");
    expect(actions.map((action) => action.do)).toEqual(["suspend", "alarm"]);
    expect(run(state, [{ is: "due" }, { is: "ended", code: 428 }, { is: "opened" }]).state.is).toBe("conflict");
    expect(step(state, { is: "connect", paired: true, want: { method: "qr" } }).actions).toContainEqual({
      do: "connect",
    });
  });

  test("401: logs out and archives the auth store", () => {
    expect(after(401, "stream_error", "device_removed")).toMatchObject({
      state: { is: "logged_out" },
      actions: [{ do: "archive_store" }, { do: "alarm" }],
    });
  });

  test("403 and 411: stops and keeps the auth store", () => {
    for (const code of [403, 411]) {
      const { state, actions } = after(code, "failure");
      expect(state.is).toBe("disconnected");
      expect(actions.map((action) => action.do)).toEqual(["suspend", "alarm"]);
    }
  });

  test("405: raises an alarm and retries minutes later", () => {
    const { state, actions } = after(405, "failure");
    expect(state.is).toBe("waiting");
    expect(actions.map((action) => action.do)).toEqual(["alarm", "wait"]);
    expect(waitOf(actions)).toBe(10 * 60_000);
  });

  test("keeps the login whatever a gateway answers", () => {
    for (let code = 100; code < 1000; code++)
      if (code !== 411) expect(after(code, "transport").state.is).toBe("waiting");
  });

  test.each([401, 403, 406, 440, 516])("stream error %d backs off with an alarm", (code) => {
    const { state, actions } = after(code, "stream_error");
    expect(state).toMatchObject({ is: "waiting", reason: expect.stringContaining(String(code)) });
    expect(actions.map((action) => action.do)).toEqual(["alarm", "wait"]);
    expect(waitOf(actions)).toBeGreaterThanOrEqual(15_000);
    expect(after(code, "stream_error", "unheard of").state.is).toBe("waiting");
  });

  test("has one row for each source and code", () => {
    const keys = knownEnds.map(({ source, code }) => `${source} ${code}`);
    expect(new Set(keys).size).toBe(keys.length);
  });
});

describe("a temporary ban", () => {
  const day = 86_400_000;
  const ban = { is: "ended", code: 402, source: "failure", expire: (40 * day) / 1000, cause: "101" } as const;

  test("is recorded, and awaited in timers that fit", () => {
    const { state, actions } = step(open, ban);
    expect(state).toMatchObject({ is: "banned", until: now + 40 * day });
    expect((state as { reason: string }).reason).toContain("too many messages");
    expect(actions.map((action) => action.do)).toEqual(["suspend", "alarm", "wait"]);
    expect(waitOf(actions)).toBe(day);
    expect(step(state, { is: "due" }, now + day)).toEqual({ state, actions: [{ do: "wait", ms: day }] });
    expect(step(state, { is: "due" }, now + 40 * day).actions.map((action) => action.do)).toEqual([
      "lift_suspension",
      "connect",
    ]);
  });

  test("is not cut short by a connect", () => {
    const { state } = step(open, ban);
    const connect = { is: "connect", paired: true, want: { method: "qr" } } as const;
    expect(step(state, connect)).toEqual({ state, actions: [] });
    expect(step(state, connect, now + 40 * day).actions.map((action) => action.do)).toEqual([
      "lift_suspension",
      "connect",
    ]);
  });

  test("without an end lasts an hour", () => {
    for (const failure of [{}, { expire: -1 }, { expire: Number.NaN }]) {
      expect(step(open, { is: "ended", code: 402, source: "failure", ...failure }).state).toMatchObject({
        is: "banned",
        until: now + 3_600_000,
      });
    }
  });

  test("goes on across a restart", () => {
    const suspension = { is: "banned", reason: "banned", until: now + 1000 } as const;
    expect(step(idle, { is: "resume", afterMs: 0, suspension })).toMatchObject({
      state: suspension,
      actions: [{ do: "wait", ms: 1000 }],
    });
    const later = step(idle, { is: "resume", afterMs: 0, suspension }, now + 1000);
    expect(later.actions.map((action) => action.do)).toEqual(["lift_suspension", "connect"]);
  });
});

describe("a refused login", () => {
  const refused = (code: number) => step(open, { is: "ended", code, source: "failure" });

  test.each([400, 409, 411, 413, 414, 415, 418, 501])("%d needs a person", (code) => {
    const { state, actions } = refused(code);
    expect(state).toMatchObject({ is: "disconnected", reason: expect.stringContaining(String(code)) });
    expect(actions.map((action) => action.do)).toEqual(["suspend", "alarm"]);
  });

  test.each([401, 406])("%d is a logout", (code) => expect(refused(code).state.is).toBe("logged_out"));

  test("for an unknown reason is retried patiently", () => {
    const { state, actions } = refused(499);
    expect(state.is).toBe("waiting");
    expect(waitOf(actions)).toBeGreaterThanOrEqual(5 * 60_000);
  });

  test("406 after a pairing is a logout at once", () => {
    const paired = run(idle, [
      qr,
      shown,
      { is: "paired" },
      { is: "ended", code: 515, source: "stream_error" },
      { is: "due" },
    ]).state;
    expect(step(paired, { is: "ended", code: 406, source: "failure" }).state.is).toBe("logged_out");
  });
});
