import { backoff } from "../../../lib/core/retry.ts";
import { endRule } from "./ends.ts";
import type { Failure } from "./ends.ts";

/*
 * The life of a session. Pure: `transition` says what becomes of a state and what has to be done; session.ts does it.
 *
 *                    connect                     shown                 paired, then ended(515)
 *   disconnected ──────────────▶ connecting ──────────────▶ pairing ─────────────┐
 *        ▲                        ▲      │                     │ ended: codes used up
 *        │ 403, 411, stop         │ due  │ opened              │ (renewed while the window lasts)
 *        │                        │      ▼                     ▼
 *        ├──────────────────── waiting ◀─ ended: 428, 503, 408, 405, 515, …
 *        │                        ▲      │
 *        │                        └──── open ──▶ conflict    (440: only a `connect` leaves it)
 *        │                                 └───▶ logged_out  (401, or `logout`; auth state is set aside)
 *        │                  (402) ──▶ banned ── its end ──▶ connecting
 *        └── connect ◀── auth_error (the store cannot be used; nothing is overwritten)
 *
 * 401 straight after a pairing, before the login has opened once, is not a logout: WhatsApp's servers may not
 * know the new device yet. It is tried again a few times first.
 *
 * A connection that is open and deaf goes to waiting too: first for a new socket, then for a session built anew from
 * the disk, then with an alarm. One that understands nothing is built anew at once.
 */
export type Pairing = { method: "qr"; until: number } | { method: "code"; phone: string; until: number };

export type State =
  | { is: "disconnected"; reason?: string | undefined }
  | ({ is: "connecting"; reason?: string | undefined } & Trying)
  | ({ is: "pairing"; show: "qr" | "code"; value: string; expiresAt: number } & Trying)
  | { is: "open"; at: number; attempt: number; deaf?: number | undefined }
  | ({
      is: "waiting";
      reason: string;
      /** Ended by 405: another client version may open it at once. */ outdated?: boolean;
    } & Trying)
  /** WhatsApp banned the account until then (Unix ms). */
  | { is: "banned"; reason: string; until: number }
  | { is: "logged_out"; reason: string }
  | { is: "conflict"; reason: string }
  | { is: "auth_error"; reason: string };

type Trying = {
  /** Connections begun since the last one that stayed open. */
  attempt: number;
  /** Set while no phone is linked yet. */
  pairing?: Pairing | undefined;
  /** A phone was linked and the login has not opened yet: how often it was refused since. */
  fresh?: number | undefined;
  /** Connections one after the other that were open and heard nothing. */
  deaf?: number | undefined;
};

/** A login that is not opened by itself, or not before `until`. */
export type Halted =
  | { is: "conflict" | "disconnected"; reason: string }
  | { is: "banned"; reason: string; until: number };
export type Event =
  | { is: "connect"; paired: boolean; want: { method: "qr" } | { method: "code"; phone: string } }
  /** At the start of the process, for a login that is on the volume; `halted`, if it was not to be opened again. */
  | { is: "resume"; afterMs: number; halted?: Halted | undefined; fresh?: boolean }
  | { is: "shown"; show: "qr" | "code"; value: string; expiresAt: number }
  | { is: "paired" }
  | { is: "opened" }
  | { is: "ended"; code: number; failure?: Failure | undefined }
  /** The connection is open and delivers nothing; `heard`, if it once did. */
  | { is: "deaf"; heard: boolean }
  /** Messages come, from whomever, and none of them can be decrypted. */
  | { is: "garbled" }
  /** The wait is over. */
  | { is: "due" }
  /** The volume refused a write: nothing more may be taken from WhatsApp until it accepts them again. */
  | { is: "volume_refused"; reason: string }
  | { is: "store_refused"; reason: string }
  /** The volume does not give out the store of a session that has not begun. */
  | { is: "unread"; reason: string }
  | { is: "logout" }
  | { is: "stop"; reason?: string };

export type Action =
  | { do: "dial" }
  | { do: "hang_up" }
  | { do: "wait"; ms: number }
  /** Begin with the store again, as at the start of the process. */
  | { do: "resume"; ms: number }
  | { do: "set_aside" }
  /** Close the store, so that the next connection is made of what is on the disk and of nothing else. */
  | { do: "renew" }
  /** Note on the volume that this login is not to be opened by itself. */
  | ({ do: "halt" } & Halted)
  | { do: "unhalt" }
  | { do: "alarm"; reason: string };

export type Step = { state: State; actions: Action[] };

/** How long codes are renewed for one `connect`: 160 s is one round of WhatsApp's QR codes. */
export const pairingWindowMs = 5 * 60_000;
/** Open for this long, a connection counts as good, and the next end begins at the smallest backoff. */
export const stableMs = 60_000;
/** A longer timer would run out at once: 2^31 ms are 24 days. */
const longestTimerMs = 24 * 60 * 60_000;
/** Until a store that the volume did not give out is asked for again. */
export const unreadMs = 5_000;
/** Connections that failed one after the other, before somebody is told. */
export const attemptsBeforeAlarm = 8;
/** Refusals of a login that was paired a moment ago, before they are believed. */
export const freshRefusals = 4;

export function transition(state: State, event: Event, now: number, random: () => number = Math.random): Step {
  switch (event.is) {
    case "connect":
      return connect(state, event, now);
    case "resume":
      if (event.halted?.is === "banned") return awaitBan(event.halted, now);
      if (event.halted) return { state: event.halted, actions: [] };
      return {
        state: {
          is: "waiting",
          attempt: 0,
          reason: "the shard has just started",
          ...(event.fresh ? { fresh: 0 } : {}),
        },
        actions: [{ do: "wait", ms: event.afterMs }],
      };
    case "shown":
      // A code that is renewed after a phone has linked must not begin the pairing again.
      if ((state.is !== "connecting" && state.is !== "pairing") || state.pairing === undefined) return same(state);
      return {
        state: { ...state, is: "pairing", show: event.show, value: event.value, expiresAt: event.expiresAt },
        actions: [],
      };
    case "paired":
      if (state.is !== "connecting" && state.is !== "pairing") return same(state);
      return { state: { is: "connecting", attempt: 0, fresh: 0, reason: "a phone was linked" }, actions: [] };
    case "opened":
      if (state.is !== "connecting" && state.is !== "pairing") return same(state);
      return { state: { is: "open", at: now, attempt: state.attempt, deaf: state.deaf }, actions: [] };
    case "ended":
      return ended(state, event, now, random);
    case "deaf":
      return state.is === "open" ? deaf(state, event.heard, random) : same(state);
    case "garbled":
      return state.is === "open" ? garbled() : same(state);
    case "due":
      if (state.is === "banned") return awaitBan(state, now);
      if (state.is !== "waiting") return same(state);
      return { state: connecting(state), actions: [{ do: "dial" }] };
    case "volume_refused":
      if (!mayRetry(state)) return same(state);
      return {
        state: { ...tryingOf(state), is: "waiting", reason: event.reason },
        actions: [{ do: "hang_up" }, { do: "alarm", reason: event.reason }, { do: "wait", ms: 10_000 }],
      };
    case "unread":
      if (state.is !== "disconnected") return same(state);
      return {
        state: { is: "disconnected", reason: event.reason },
        actions: [
          { do: "alarm", reason: event.reason },
          { do: "resume", ms: unreadMs },
        ],
      };
    case "store_refused":
      return {
        state: { is: "auth_error", reason: event.reason },
        actions: [{ do: "hang_up" }, { do: "alarm", reason: event.reason }],
      };
    case "logout":
      return {
        state: { is: "logged_out", reason: "logged out on request" },
        actions: [{ do: "hang_up" }, { do: "set_aside" }],
      };
    case "stop":
      return { state: { is: "disconnected", reason: event.reason }, actions: [{ do: "hang_up" }] };
  }
}

function connecting({ outdated: _outdated, ...state }: Extract<State, { is: "waiting" }>): State {
  return { ...state, is: "connecting", attempt: state.attempt + 1 };
}

/** Logs in when the ban is over, and not before. */
function awaitBan({ reason, until }: { reason: string; until: number }, now: number): Step {
  const ms = until - now;
  if (ms > 0)
    return { state: { is: "banned", reason, until }, actions: [{ do: "wait", ms: Math.min(ms, longestTimerMs) }] };
  return {
    state: { is: "connecting", attempt: 1, reason: "the ban is over" },
    actions: [{ do: "unhalt" }, { do: "dial" }],
  };
}

function connect(state: State, event: Extract<Event, { is: "connect" }>, now: number): Step {
  if (state.is === "open") return same(state);
  if (state.is === "banned" && event.paired) return now < state.until ? same(state) : awaitBan(state, now);
  if (event.paired) {
    // A login under way is left alone; one that waits, or was given up, begins now.
    if (state.is === "connecting") return same(state);
    const fresh = state.is === "waiting" ? state.fresh : undefined;
    return {
      state: { is: "connecting", attempt: 1, fresh },
      actions: [{ do: "hang_up" }, { do: "unhalt" }, { do: "dial" }],
    };
  }
  const until = now + pairingWindowMs;
  const pairing: Pairing =
    event.want.method === "qr" ? { method: "qr", until } : { method: "code", phone: event.want.phone, until };
  const underWay = state.is === "connecting" || state.is === "pairing" ? state.pairing : undefined;
  if (underWay && asksTheSame(underWay, pairing))
    return { state: { ...(state as Trying & State), pairing } as State, actions: [] };
  return { state: { is: "connecting", attempt: 1, pairing }, actions: [{ do: "hang_up" }, { do: "dial" }] };
}

function asksTheSame(a: Pairing, b: Pairing): boolean {
  return a.method === b.method && (a.method === "qr" || a.phone === (b as { phone: string }).phone);
}

function ended(
  state: State,
  { code, failure }: Extract<Event, { is: "ended" }>,
  now: number,
  random: () => number,
): Step {
  if (!mayRetry(state)) return same(state);
  const trying = tryingOf(state, now);
  if (trying.pairing) return pairingEnded(trying as Trying & { pairing: Pairing }, { code, failure }, now, random);

  const rule = endRule(code, failure);
  if (code === 401 && trying.fresh !== undefined && trying.fresh < freshRefusals) {
    const fresh = trying.fresh + 1;
    const ms = backoff({ attempt: fresh, baseMs: 1000, maxMs: 10_000 }, random);
    return {
      state: {
        is: "waiting",
        attempt: trying.attempt,
        fresh,
        reason: "WhatsApp does not know the new device yet (401)",
      },
      actions: [{ do: "wait", ms }],
    };
  }
  switch (rule.next) {
    case "logged_out":
      return {
        state: { is: "logged_out", reason: rule.reason },
        actions: [{ do: "set_aside" }, { do: "alarm", reason: rule.reason }],
      };
    case "conflict":
    case "disconnected":
      return {
        state: { is: rule.next, reason: rule.reason },
        actions: [
          { do: "halt", is: rule.next, reason: rule.reason },
          { do: "alarm", reason: rule.reason },
        ],
      };
    case "banned": {
      const until = now + rule.ms;
      const banned = { is: "banned", reason: `${rule.reason}, until ${new Date(until).toISOString()}`, until } as const;
      const { state: waiting, actions } = awaitBan(banned, now);
      return {
        state: waiting,
        actions: [{ do: "halt", ...banned }, { do: "alarm", reason: banned.reason }, ...actions],
      };
    }
    case "retry": {
      const ms = backoff({ attempt: Math.max(1, trying.attempt), baseMs: rule.baseMs, maxMs: rule.maxMs }, random);
      const alarm = rule.alarm === true || trying.attempt === attemptsBeforeAlarm;
      return {
        state: { ...trying, is: "waiting", reason: rule.reason, ...(rule.outdated ? { outdated: true } : {}) },
        actions: [...(alarm ? [{ do: "alarm", reason: rule.reason } as const] : []), { do: "wait", ms }],
      };
    }
  }
}

/** A new socket; where that does not help, everything of the session anew; where that does not help, somebody has to look. */
function deaf(state: Extract<State, { is: "open" }>, heard: boolean, random: () => number): Step {
  const times = heard ? 1 : (state.deaf ?? 0) + 1;
  const reason = "WhatsApp delivers nothing: a probe to the own number was not answered";
  const ms = times === 1 ? 0 : backoff({ attempt: times, baseMs: 5_000, maxMs: 10 * 60_000 }, random);
  return {
    state: { is: "waiting", attempt: 0, deaf: times, reason },
    actions: [
      { do: "hang_up" },
      ...(times >= 2 ? [{ do: "renew" } as const] : []),
      ...(times >= 3 ? [{ do: "alarm", reason } as const] : []),
      { do: "wait", ms },
    ],
  };
}

function garbled(): Step {
  const reason = "none of the last messages could be decrypted";
  return {
    state: { is: "waiting", attempt: 0, reason },
    actions: [{ do: "hang_up" }, { do: "renew" }, { do: "alarm", reason }, { do: "wait", ms: 0 }],
  };
}

/** Nobody has scanned yet: new codes while the window lasts. */
function pairingEnded(
  trying: Trying & { pairing: Pairing },
  { code, failure }: Pick<Extract<Event, { is: "ended" }>, "code" | "failure">,
  now: number,
  random: () => number,
): Step {
  if (now >= trying.pairing.until) {
    const what = trying.pairing.method === "qr" ? "the QR code was not scanned" : "the code was not entered";
    return { state: { is: "disconnected", reason: `${what} in time: connect again for a new one` }, actions: [] };
  }
  const rule = endRule(code, failure);
  const maxMs = rule.next === "retry" ? rule.maxMs : 60_000;
  // A round of codes that ended by itself is followed by the next at once; a failing server is not hurried.
  const ms =
    code === 408 && trying.attempt <= 1 ? 0 : backoff({ attempt: trying.attempt, baseMs: 1000, maxMs }, random);
  const alarm = rule.next === "retry" && rule.alarm === true;
  return {
    state: {
      ...trying,
      is: "waiting",
      reason: rule.next === "retry" ? rule.reason : `WhatsApp refused the pairing (${code})`,
      ...(rule.next === "retry" && rule.outdated ? { outdated: true } : {}),
    },
    actions: [...(alarm ? [{ do: "alarm", reason: rule.reason } as const] : []), { do: "wait", ms }],
  };
}

/** Is there a connection, or one to come? */
function mayRetry(state: State): state is Extract<State, { is: "connecting" | "pairing" | "open" | "waiting" }> {
  return state.is === "connecting" || state.is === "pairing" || state.is === "open" || state.is === "waiting";
}

function tryingOf(state: Extract<State, { is: "connecting" | "pairing" | "open" | "waiting" }>, now = 0): Trying {
  if (state.is === "open") return { attempt: now - state.at >= stableMs ? 0 : state.attempt, deaf: state.deaf };
  // Codes were shown: the connection was good.
  if (state.is === "pairing") return { attempt: 0, pairing: state.pairing };
  return { attempt: state.attempt, pairing: state.pairing, fresh: state.fresh, deaf: state.deaf };
}

function same(state: State): Step {
  return { state, actions: [] };
}
