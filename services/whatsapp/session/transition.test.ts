import { describe, expect, test } from "bun:test";
import { attemptsBeforeAlarm, freshRefusals, pairingWindowMs, stableMs, storeRetryMs } from "./states.ts";
import type { Event, State, Step } from "./states.ts";
import { idle, now, open, qr, run, shown, step, waitOf } from "./transition.fixture.ts";

describe("pairing", () => {
  test("opens by QR after the restart that WhatsApp requests", () => {
    expect(step(idle, qr)).toMatchObject({
      state: { is: "connecting" },
      actions: [{ do: "disconnect" }, { do: "connect" }],
    });
    const paired = run(idle, [qr, shown, { is: "paired" }]);
    expect(paired.state).toMatchObject({ is: "connecting", fresh: 0 });
    const restarted = step(paired.state, { is: "ended", code: 515, source: "stream_error" });
    expect(waitOf(restarted.actions)).toBe(0);
    expect(run(restarted.state, [{ is: "due" }, { is: "opened" }]).state.is).toBe("open");
  });

  test("only extends the window when connecting again", () => {
    const first = run(idle, [qr, shown]);
    const again = step(first.state, qr, now + 1000);
    expect(again.actions).toEqual([]);
    expect(again.state).toMatchObject({ is: "pairing", value: "q1", pairing: { until: now + 1000 + pairingWindowMs } });
    const byCode = step(first.state, { is: "connect", paired: false, want: { method: "code", phone: "49151" } });
    expect(byCode.actions).toEqual([{ do: "disconnect" }, { do: "connect" }]);
  });

  test("renews expired codes while the window lasts", () => {
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
});

describe("a pairing code that WhatsApp refuses", () => {
  const byCode = { is: "connect", paired: false, want: { method: "code", phone: "49151" } } as const;

  test.each([400, 429, 503])("%d ends the pairing with its reason", (code) => {
    const { state, actions } = run(idle, [byCode, { is: "code_refused", code }]);
    expect(state).toMatchObject({ is: "disconnected", reason: expect.stringContaining(`(${code})`) });
    expect(actions).toEqual([{ do: "disconnect" }]);
    expect(step(open, { is: "code_refused", code })).toEqual({ state: open, actions: [] });
  });
});

describe("faults of the volume and the store", () => {
  test("an unavailable store is retried until the session starts", () => {
    const unavailable = step(idle, { is: "store_unavailable", reason: "too many open files" });
    expect(unavailable).toMatchObject({ state: { is: "disconnected", reason: "too many open files" } });
    expect(unavailable.actions).toEqual([
      { do: "alarm", reason: "too many open files" },
      { do: "resume", ms: storeRetryMs },
    ]);
    expect(step(unavailable.state, { is: "resume", afterMs: 0 }).state.is).toBe("waiting");
    expect(step(open, { is: "store_unavailable", reason: "" }).state).toEqual(open);
  });
});
describe("retries", () => {
  test("a 401 directly after pairing is retried first", () => {
    let { state } = run(idle, [
      qr,
      shown,
      { is: "paired" },
      { is: "ended", code: 515, source: "stream_error" },
      { is: "due" },
    ]);
    for (let refusal = 1; refusal <= freshRefusals; refusal++) {
      const next = step(state, { is: "ended", code: 401, source: "failure" });
      expect(next.state.is).toBe("waiting");
      expect(next.actions.map((action) => action.do)).toEqual(["wait"]);
      state = step(next.state, { is: "due" }).state;
    }
    expect(step(state, { is: "ended", code: 401, source: "failure" })).toMatchObject({
      state: { is: "logged_out" },
      actions: [{ do: "archive_store" }, { do: "alarm" }],
    });
  });

  test("doubles the wait and resets it after stability", () => {
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

  test("raises one alarm for a login that keeps failing", () => {
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
});
describe("a session that must stop", () => {
  test("disconnects when the volume fails, before further acknowledgements", () => {
    const { state, actions } = step(open, { is: "volume_failed", reason: "database or disk is full" });
    expect(state).toMatchObject({ is: "waiting", reason: "database or disk is full" });
    expect(actions.map((action) => action.do)).toEqual(["disconnect", "alarm", "wait"]);
  });

  test("keeps the auth store when it cannot be used", () => {
    const { state, actions } = step(open, { is: "store_invalid", reason: "wrong key" });
    expect(state.is).toBe("auth_error");
    expect(actions.map((action) => action.do)).toEqual(["disconnect", "alarm"]);
  });

  test("archives the store at a logout only", () => {
    expect(step(open, { is: "logout" }).actions).toEqual([{ do: "disconnect" }, { do: "archive_store" }]);
    expect(step(open, { is: "stop" }).actions).toEqual([{ do: "disconnect" }]);
  });

  test("ignores late events of a closed connection", () => {
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

  test("stays suspended after a restart until a connect", () => {
    const suspension = { is: "conflict", reason: "another client" } as const;
    const { state, actions } = step(idle, { is: "resume", afterMs: 0, suspension });
    expect([state, actions]).toEqual([suspension, []]);
    const { actions: after } = step(state, { is: "connect", paired: true, want: { method: "qr" } });
    expect(after.map((action) => action.do)).toEqual(["disconnect", "lift_suspension", "connect"]);
  });
});
describe("a session on the volume", () => {
  test("is resumed after its stagger delay", () => {
    const { state, actions } = step(idle, { is: "resume", afterMs: 40 });
    expect(actions).toEqual([{ do: "wait", ms: 40 }]);
    expect(step(state, { is: "due" }).actions).toEqual([{ do: "connect" }]);
  });
});
describe("an open connection that does not work", () => {
  test("deaf: new socket, then reload, then alarm", () => {
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
    // A connection that delivered something in between starts over.
    expect(step(state, { is: "deaf", heard: true }).state).toMatchObject({ deaf: 1 });
  });

  test("garbled: is reloaded with an alarm", () => {
    const { state, actions } = step(open, { is: "garbled" });
    expect(state).toMatchObject({ is: "waiting", reason: expect.stringContaining("decrypted") });
    expect(actions.map((action) => action.do)).toEqual(["disconnect", "close_store", "alarm", "wait"]);
    expect(step(idle, { is: "garbled" })).toEqual({ state: idle, actions: [] });
  });
});
describe("a login that was just paired", () => {
  test("survives refusals around connects and restarts", () => {
    const refused = run(idle, [
      qr,
      shown,
      { is: "paired" },
      { is: "ended", code: 515, source: "stream_error" },
      { is: "due" },
      { is: "ended", code: 401, source: "failure" },
    ]).state;
    expect(refused).toMatchObject({ is: "waiting", fresh: 1 });
    const again = run(refused, [
      { is: "connect", paired: true, want: { method: "qr" } },
      { is: "ended", code: 401, source: "failure" },
    ]).state;
    expect(again).toMatchObject({ is: "waiting", fresh: 2 });
    const restarted = run(idle, [
      { is: "resume", afterMs: 0, fresh: true },
      { is: "due" },
      { is: "ended", code: 401, source: "failure" },
    ]).state;
    expect(restarted.is).toBe("waiting");
    const seasoned = run(idle, [
      { is: "resume", afterMs: 0 },
      { is: "due" },
      { is: "ended", code: 401, source: "failure" },
    ]).state;
    expect(seasoned.is).toBe("logged_out");
  });
});
describe("a code renewed after the link", () => {
  test("is not shown", () => {
    const linked = run(idle, [qr, shown, { is: "paired" }]).state;
    expect(step(linked, { ...shown, value: "q2" })).toEqual({ state: linked, actions: [] });
  });
});
describe("a link that requires a passkey", () => {
  const handoff = { key: Buffer.alloc(32), keyUntil: now + 300_000, deadline: now + 600_000 };
  const requested = { is: "passkey", progress: { step: "assertion", expiresAt: now + 60_000 }, handoff } as const;
  const waiting = run(idle, [qr, shown, requested]).state;

  test("shows no code any more, and links like others", () => {
    expect(waiting).toMatchObject({ is: "passkey", pairing: { until: handoff.deadline, handoff } });
    expect(step(waiting, { ...shown, value: "q2" })).toEqual({ state: waiting, actions: [] });
    expect(step(waiting, { is: "paired" }).state).toMatchObject({ is: "connecting", fresh: 0 });
  });

  test("goes on with the next connection until its deadline", () => {
    const broken = step(waiting, { is: "ended", code: 428 });
    expect(broken.state).toMatchObject({ is: "waiting", pairing: { handoff } });
    const resumed = run(broken.state, [{ is: "due" }, requested]).state;
    expect(resumed).toMatchObject({ is: "passkey", attempt: 2 });
    const late = step(resumed, { is: "ended", code: 428 }, handoff.deadline);
    expect(late.state).toMatchObject({ is: "disconnected", reason: expect.stringContaining("passkey") });
  });

  test("survives a repeated connect, and ends when it fails", () => {
    expect(step(waiting, qr)).toEqual({ state: waiting, actions: [] });
    const { state, actions } = step(waiting, { is: "passkey_failed", reason: "refused" });
    expect([state, actions]).toEqual([{ is: "disconnected", reason: "refused" }, [{ do: "disconnect" }]]);
  });

  test("does not begin without a pairing", () => {
    for (const state of [idle, open]) expect(step(state, requested)).toEqual({ state, actions: [] });
  });
});
