import { stoppedReason } from "../../../lib/contracts/shard/index.ts";
import { afterDeafness, afterEnd, afterGarble, awaitBanEnd, isActive, tryingOf } from "./after_end.ts";
import { pairingWindowMs, storeRetryMs, unchanged } from "./states.ts";
import type { Event, Pairing, State, Step, Trying, Want } from "./states.ts";

/** Decides the next state of a session and the actions to perform. Pure; the diagram is in states.ts. */
export function transition(state: State, event: Event, now: number, random: () => number = Math.random): Step {
  switch (event.is) {
    case "connect":
      return connect(state, event, now);
    case "resume":
      if (event.suspension?.is === "banned") return awaitBanEnd(event.suspension, now);
      if (event.suspension) return { state: event.suspension, actions: [] };
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
      // A code that is renewed after a phone has linked must not start the pairing again.
      if ((state.is !== "connecting" && state.is !== "pairing") || state.pairing === undefined) return unchanged(state);
      return {
        state: { ...state, is: "pairing", show: event.show, value: event.value, expiresAt: event.expiresAt },
        actions: [],
      };
    case "passkey":
      if (!isPairing(state) || state.pairing === undefined) return unchanged(state);
      return {
        state: {
          is: "passkey",
          progress: event.progress,
          attempt: state.attempt,
          pairing: {
            ...state.pairing,
            until: Math.max(state.pairing.until, event.handoff.deadline),
            handoff: event.handoff,
          },
        },
        actions: [],
      };
    case "passkey_failed":
      if (!isPairing(state) || state.pairing === undefined) return unchanged(state);
      return { state: { is: "disconnected", reason: event.reason }, actions: [{ do: "disconnect" }] };
    case "paired":
      if (!isPairing(state)) return unchanged(state);
      return { state: { is: "connecting", attempt: 0, fresh: 0, reason: "a phone was linked" }, actions: [] };
    case "opened":
      if (!isPairing(state)) return unchanged(state);
      return { state: { is: "open", at: now, attempt: state.attempt, deaf: state.deaf }, actions: [] };
    case "ended":
      return afterEnd(state, event, now, random);
    case "code_refused":
      // Each request shows a notification on the phone: none is repeated without a person.
      if ((state.is !== "connecting" && state.is !== "pairing") || state.pairing === undefined) return unchanged(state);
      return {
        state: { is: "disconnected", reason: codeRefusal(event.code) },
        actions: [{ do: "disconnect" }],
      };
    case "deaf":
      return state.is === "open" ? afterDeafness(state, event.heard, random) : unchanged(state);
    case "garbled":
      return state.is === "open" ? afterGarble() : unchanged(state);
    case "due":
      if (state.is === "banned") return awaitBanEnd(state, now);
      if (state.is !== "waiting") return unchanged(state);
      return { state: connecting(state), actions: [{ do: "connect" }] };
    case "volume_failed":
      if (!isActive(state)) return unchanged(state);
      return {
        state: { ...tryingOf(state), is: "waiting", reason: event.reason },
        actions: [{ do: "disconnect" }, { do: "alarm", reason: event.reason }, { do: "wait", ms: 10_000 }],
      };
    case "store_unavailable":
      if (state.is !== "disconnected") return unchanged(state);
      return {
        state: { is: "disconnected", reason: event.reason },
        actions: [
          { do: "alarm", reason: event.reason },
          { do: "resume", ms: storeRetryMs },
        ],
      };
    case "store_invalid":
      return {
        state: { is: "auth_error", reason: event.reason },
        actions: [{ do: "disconnect" }, { do: "alarm", reason: event.reason }],
      };
    case "logout":
      return {
        state: { is: "logged_out", reason: "logged out on request" },
        actions: [{ do: "disconnect" }, { do: "archive_store" }],
      };
    case "suspend":
      return suspend(state, event.paired);
    case "restart":
      if (state.is === "banned") return unchanged(state);
      return {
        state: {
          is: "connecting",
          attempt: 1,
          reason: "restarted on request",
          ...("fresh" in state ? { fresh: state.fresh } : {}),
        },
        actions: [{ do: "disconnect" }, { do: "lift_suspension" }, { do: "close_store" }, { do: "connect" }],
      };
    case "stop":
      return { state: { is: "disconnected", reason: event.reason }, actions: [{ do: "disconnect" }] };
  }
}

function isPairing(state: State): state is Extract<State, { is: "connecting" | "pairing" | "passkey" }> {
  return state.is === "connecting" || state.is === "pairing" || state.is === "passkey";
}

function connecting({ outdated: _outdated, ...state }: Extract<State, { is: "waiting" }>): State {
  return { ...state, is: "connecting", attempt: state.attempt + 1 };
}

function connect(state: State, event: Extract<Event, { is: "connect" }>, now: number): Step {
  if (state.is === "open") return unchanged(state);
  if (state.is === "banned" && event.paired) return now < state.until ? unchanged(state) : awaitBanEnd(state, now);
  if (event.paired) {
    // A login in progress goes on; one that waits, or was given up, starts now.
    if (state.is === "connecting") return unchanged(state);
    const fresh = state.is === "waiting" ? state.fresh : undefined;
    return {
      state: { is: "connecting", attempt: 1, fresh },
      actions: [{ do: "disconnect" }, { do: "lift_suspension" }, { do: "connect" }],
    };
  }
  const until = now + pairingWindowMs;
  const pairing: Pairing =
    event.want.method === "qr" ? { ...event.want, until } : { method: "code", phone: event.want.phone, until };
  const current = isPairing(state) ? state.pairing : undefined;
  if (current && prolongsPairing(state, event.want)) {
    const extended = { ...current, until: Math.max(current.until, until) };
    return { state: { ...(state as Trying & State), pairing: extended } as State, actions: [] };
  }
  return { state: { is: "connecting", attempt: 1, pairing }, actions: [{ do: "disconnect" }, { do: "connect" }] };
}

/** A ban and an unusable store stay what they are: both must outlast a `start`. */
function suspend(state: State, paired: boolean): Step {
  if (state.is === "banned" || state.is === "auth_error" || state.is === "logged_out") return unchanged(state);
  const reason = stoppedReason;
  if (!paired) return { state: { is: "disconnected", reason }, actions: [{ do: "disconnect" }] };
  const suspension = { is: "disconnected", reason, stopped: true } as const;
  return { state: suspension, actions: [{ do: "suspend", suspension }, { do: "disconnect" }] };
}

/** True if a pairing of this kind is in progress, so that a request for one opens no other connection. */
export function prolongsPairing(state: State, want: Want): boolean {
  return isPairing(state) && state.pairing !== undefined && isSameRequest(state.pairing, want);
}

function isSameRequest(a: Want, b: Want): boolean {
  if (a.method === "code") return b.method === "code" && a.phone === b.phone;
  return b.method === "qr" && a.deviceName === b.deviceName;
}

function codeRefusal(code: number): string {
  const advice: Record<number, string> = {
    400: "check that the number is right and has WhatsApp",
    429: "too many codes were requested: wait an hour, or link by QR code",
  };
  const what = advice[code] ?? "try again later, or link by QR code";
  return `WhatsApp refused to issue a pairing code (${code}): ${what}`;
}
