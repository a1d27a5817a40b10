import { describe, expect, test } from "bun:test";
import { attemptsBeforeAlarm, freshRefusals, pairingWindowMs, stableMs, storeRetryMs } from "./states.ts";
import type { Action, Event, State, Step } from "./states.ts";
import { transition } from "./transition.ts";

const now = 1_000_000;
const noJitter = () => 0;
const step = (state: State, event: Event, at = now): Step => transition(state, event, at, noJitter);
const run = (state: State, events: Event[]): Step =>
  events.reduce<Step>((last, event) => step(last.state, event), { state, actions: [] });
const waitOf = (actions: Action[]) => actions.find((action) => action.do === "wait")?.ms;

const idle: State = { is: "disconnected" };
const qr = { is: "connect", paired: false, want: { method: "qr" } } as const;
const shown = { is: "shown", show: "qr", value: "q1", expiresAt: now + 60_000 } as const;
const open: State = { is: "open", at: now, attempt: 1 };

test("a business is paired by QR, restarts as WhatsApp asks (515), and opens", () => {
  expect(step(idle, qr)).toMatchObject({
    state: { is: "connecting" },
    actions: [{ do: "disconnect" }, { do: "connect" }],
  });
  const paired = run(idle, [qr, shown, { is: "paired" }]);
  expect(paired.state).toMatchObject({ is: "connecting", fresh: 0 });
  const restarted = step(paired.state, { is: "ended", code: 515 });
  expect(waitOf(restarted.actions)).toBe(0);
  expect(run(restarted.state, [{ is: "due" }, { is: "opened" }]).state.is).toBe("open");
});

test("a second connect while the same code is shown changes nothing but the window", () => {
  const first = run(idle, [qr, shown]);
  const again = step(first.state, qr, now + 1000);
  expect(again.actions).toEqual([]);
  expect(again.state).toMatchObject({ is: "pairing", value: "q1", pairing: { until: now + 1000 + pairingWindowMs } });
  const byCode = step(first.state, { is: "connect", paired: false, want: { method: "code", phone: "49151" } });
  expect(byCode.actions).toEqual([{ do: "disconnect" }, { do: "connect" }]);
});

test("codes that run out are renewed at once while the window lasts, and then given up with a reason", () => {
  const shownOnce = run(idle, [qr, shown]).state;
  const renewed = step(shownOnce, { is: "ended", code: 408 });
  expect(renewed).toMatchObject({
    state: { is: "waiting", pairing: { method: "qr" } },
    actions: [{ do: "wait", ms: 0 }],
  });
  const late = step(shownOnce, { is: "ended", code: 408 }, now + pairingWindowMs);
  expect(late).toMatchObject({
    state: { is: "disconnected", reason: expect.stringContaining("not scanned in time") },
    actions: [],
  });
});

describe("how an open connection ends", () => {
  const after = (code: number) => step(open, { is: "ended", code });

  test.each([428, 503, 408, 500, 515, 599])("%d: it waits and dials again", (code) => {
    const { state, actions } = after(code);
    expect(state.is).toBe("waiting");
    expect(waitOf(actions)).toBeLessThanOrEqual(5_000);
    expect(step(state, { is: "due" }).actions).toEqual([{ do: "connect" }]);
  });

  test("440: it stops and raises the alarm, and only a connect leaves that state", () => {
    const { state, actions } = after(440);
    expect(state.is).toBe("conflict");
    expect(actions.map((action) => action.do)).toEqual(["suspend", "alarm"]);
    expect(run(state, [{ is: "due" }, { is: "ended", code: 428 }, { is: "opened" }]).state.is).toBe("conflict");
    expect(step(state, { is: "connect", paired: true, want: { method: "qr" } }).actions).toContainEqual({
      do: "connect",
    });
  });

  test("401: a logout, and the auth state is set aside", () => {
    expect(after(401)).toMatchObject({
      state: { is: "logged_out" },
      actions: [{ do: "archive_store" }, { do: "alarm" }],
    });
  });

  test("403 and 411: it stops and keeps the auth state", () => {
    for (const code of [403, 411]) {
      const { state, actions } = after(code);
      expect(state.is).toBe("disconnected");
      expect(actions.map((action) => action.do)).toEqual(["suspend", "alarm"]);
    }
  });

  test("405: it raises the alarm and tries again minutes later", () => {
    const { state, actions } = after(405);
    expect(state.is).toBe("waiting");
    expect(actions.map((action) => action.do)).toEqual(["alarm", "wait"]);
    expect(waitOf(actions)).toBe(10 * 60_000);
  });
});

test("a store that the volume does not give out is asked for again, as long as nothing else was begun", () => {
  const unavailable = step(idle, { is: "store_unavailable", reason: "too many open files" });
  expect(unavailable).toMatchObject({ state: { is: "disconnected", reason: "too many open files" } });
  expect(unavailable.actions).toEqual([
    { do: "alarm", reason: "too many open files" },
    { do: "resume", ms: storeRetryMs },
  ]);
  expect(step(unavailable.state, { is: "resume", afterMs: 0 }).state.is).toBe("waiting");
  expect(step(open, { is: "store_unavailable", reason: "" }).state).toEqual(open);
});

test("a 401 right after pairing is tried again before it is believed", () => {
  let { state } = run(idle, [qr, shown, { is: "paired" }, { is: "ended", code: 515 }, { is: "due" }]);
  for (let refusal = 1; refusal <= freshRefusals; refusal++) {
    const next = step(state, { is: "ended", code: 401 });
    expect(next.state.is).toBe("waiting");
    expect(next.actions.map((action) => action.do)).toEqual(["wait"]);
    state = step(next.state, { is: "due" }).state;
  }
  expect(step(state, { is: "ended", code: 401 })).toMatchObject({
    state: { is: "logged_out" },
    actions: [{ do: "archive_store" }, { do: "alarm" }],
  });
});

test("the wait doubles while connections fail, and begins anew after one that stayed open", () => {
  let state: State = open;
  const waits: (number | undefined)[] = [];
  for (let i = 0; i < 4; i++) {
    const next = step(state, { is: "ended", code: 428 });
    waits.push(waitOf(next.actions));
    state = step(next.state, { is: "due" }).state;
  }
  expect(waits).toEqual([500, 1000, 2000, 4000]);
  const stable = step({ is: "open", at: now, attempt: 9 }, { is: "ended", code: 428 }, now + stableMs);
  expect(waitOf(stable.actions)).toBe(500);
  const brief = step({ is: "open", at: now, attempt: 3 }, { is: "ended", code: 428 }, now + 1);
  expect(waitOf(brief.actions)).toBe(2000);
});

test("a login that does not come to stay raises the alarm once, and goes on trying", () => {
  let state: State = open;
  const alarms: number[] = [];
  for (let attempt = 1; attempt <= attemptsBeforeAlarm + 3; attempt++) {
    const next = step(state, { is: "ended", code: 408 });
    if (next.actions.some((action) => action.do === "alarm")) alarms.push(attempt);
    expect(waitOf(next.actions)).toBeDefined();
    state = step(next.state, { is: "due" }).state;
  }
  expect(alarms).toEqual([attemptsBeforeAlarm]);
});

test("a volume that refuses writes closes the connection before anything more is acknowledged", () => {
  const { state, actions } = step(open, { is: "volume_failed", reason: "database or disk is full" });
  expect(state).toMatchObject({ is: "waiting", reason: "database or disk is full" });
  expect(actions.map((action) => action.do)).toEqual(["disconnect", "alarm", "wait"]);
});

test("a store that cannot be used stops the session without touching the auth state", () => {
  const { state, actions } = step(open, { is: "store_invalid", reason: "wrong key" });
  expect(state.is).toBe("auth_error");
  expect(actions.map((action) => action.do)).toEqual(["disconnect", "alarm"]);
});

test("a logout on request hangs up and sets the auth state aside; a stop only hangs up", () => {
  expect(step(open, { is: "logout" }).actions).toEqual([{ do: "disconnect" }, { do: "archive_store" }]);
  expect(step(open, { is: "stop" }).actions).toEqual([{ do: "disconnect" }]);
});

test("what arrives late from a connection that was given up changes nothing", () => {
  for (const state of [idle, { is: "logged_out", reason: "" }, { is: "auth_error", reason: "" }] as State[]) {
    for (const event of [
      { is: "opened" },
      { is: "paired" },
      shown,
      { is: "ended", code: 428 },
      { is: "due" },
    ] as Event[]) {
      expect(step(state, event)).toEqual({ state, actions: [] });
    }
  }
});

test("a login that was halted stays so after a restart, until a connect", () => {
  const suspension = { is: "conflict", reason: "another client" } as const;
  const { state, actions } = step(idle, { is: "resume", afterMs: 0, suspension });
  expect([state, actions]).toEqual([suspension, []]);
  const { actions: after } = step(state, { is: "connect", paired: true, want: { method: "qr" } });
  expect(after.map((action) => action.do)).toEqual(["disconnect", "lift_suspension", "connect"]);
});

test("a login on the volume is resumed after its turn in the stagger", () => {
  const { state, actions } = step(idle, { is: "resume", afterMs: 40 });
  expect(actions).toEqual([{ do: "wait", ms: 40 }]);
  expect(step(state, { is: "due" }).actions).toEqual([{ do: "connect" }]);
});

test("a deaf connection gets a new socket at once, then a session built anew, then somebody is told", () => {
  const deaf = { is: "deaf", heard: false } as const;
  const steps: Step[] = [];
  let state: State = open;
  for (let i = 0; i < 3; i++) {
    const next = step(state, deaf);
    steps.push(next);
    expect(next.state).toMatchObject({
      is: "waiting",
      deaf: i + 1,
      reason: expect.stringContaining("delivers nothing"),
    });
    state = run(next.state, [{ is: "due" }, { is: "opened" }]).state;
  }
  expect(steps.map(({ actions }) => actions.map((action) => action.do))).toEqual([
    ["disconnect", "wait"],
    ["disconnect", "close_store", "wait"],
    ["disconnect", "close_store", "alarm", "wait"],
  ]);
  expect(waitOf(steps[0]!.actions)).toBe(0);
  expect(waitOf(steps[2]!.actions)).toBeGreaterThan(0);
  // One that heard something meanwhile begins anew.
  expect(step(state, { is: "deaf", heard: true }).state).toMatchObject({ deaf: 1 });
});

test("a connection that understands nothing is built anew from the disk, and somebody is told", () => {
  const { state, actions } = step(open, { is: "garbled" });
  expect(state).toMatchObject({ is: "waiting", reason: expect.stringContaining("decrypted") });
  expect(actions.map((action) => action.do)).toEqual(["disconnect", "close_store", "alarm", "wait"]);
  expect(step(idle, { is: "garbled" })).toEqual({ state: idle, actions: [] });
});

test("a login that was just paired, and is refused, is not taken for logged out because somebody connects or the shard restarts in between", () => {
  const refused = run(idle, [
    qr,
    shown,
    { is: "paired" },
    { is: "ended", code: 515 },
    { is: "due" },
    { is: "ended", code: 401 },
  ]).state;
  expect(refused).toMatchObject({ is: "waiting", fresh: 1 });
  const again = run(refused, [
    { is: "connect", paired: true, want: { method: "qr" } },
    { is: "ended", code: 401 },
  ]).state;
  expect(again).toMatchObject({ is: "waiting", fresh: 2 });
  const restarted = run(idle, [
    { is: "resume", afterMs: 0, fresh: true },
    { is: "due" },
    { is: "ended", code: 401 },
  ]).state;
  expect(restarted.is).toBe("waiting");
  const seasoned = run(idle, [{ is: "resume", afterMs: 0 }, { is: "due" }, { is: "ended", code: 401 }]).state;
  expect(seasoned.is).toBe("logged_out");
});

describe("a temporary ban", () => {
  const day = 86_400_000;
  const ban = { is: "ended", code: 402, failure: { expire: (40 * day) / 1000, cause: "101" } } as const;

  test("is noted, and waited for in timers that fit", () => {
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
      expect(step(open, { is: "ended", code: 402, failure }).state).toMatchObject({
        is: "banned",
        until: now + 3_600_000,
      });
    }
  });

  test("goes on after a restart, and ends while the shard is down", () => {
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
  const refused = (code: number) => step(open, { is: "ended", code, failure: {} });

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
    const paired = run(idle, [qr, shown, { is: "paired" }, { is: "ended", code: 515 }, { is: "due" }]).state;
    expect(step(paired, { is: "ended", code: 406, failure: {} }).state.is).toBe("logged_out");
  });
});

test("a code that is renewed after the link shows nothing", () => {
  const linked = run(idle, [qr, shown, { is: "paired" }]).state;
  expect(step(linked, { ...shown, value: "q2" })).toEqual({ state: linked, actions: [] });
});
