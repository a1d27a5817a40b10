import { backoff } from "../../../lib/core/retry.ts";
import { endRule } from "./ends.ts";
import type { End } from "./ends.ts";
import { attemptsBeforeAlarm, freshRefusals, stableMs, unchanged } from "./states.ts";
import type { Active, Pairing, State, Step, Trying } from "./states.ts";

/** A longer timer would fire at once: 2^31 ms are 24 days. */
const longestTimerMs = 24 * 60 * 60_000;

type Chance = () => number;

/** The transition after a connection has ended. */
export function afterEnd(state: State, end: End, now: number, random: Chance): Step {
  if (!isActive(state)) return unchanged(state);
  const trying = tryingOf(state, now);
  if (trying.pairing) return afterPairingEnd(trying as Trying & { pairing: Pairing }, end, now, random);

  const rule = endRule(end);
  if (end.code === 401 && rule.next === "logged_out" && trying.fresh !== undefined && trying.fresh < freshRefusals) {
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
        actions: [{ do: "archive_store" }, { do: "alarm", reason: rule.reason }],
      };
    case "conflict":
    case "disconnected": {
      const suspension = { is: rule.next, reason: rule.reason };
      return {
        state: suspension,
        actions: [
          { do: "suspend", suspension },
          { do: "alarm", reason: rule.reason },
        ],
      };
    }
    case "banned": {
      const until = now + rule.ms;
      const banned = { is: "banned", reason: `${rule.reason}, until ${new Date(until).toISOString()}`, until } as const;
      const { state: waiting, actions } = awaitBanEnd(banned, now);
      return {
        state: waiting,
        actions: [{ do: "suspend", suspension: banned }, { do: "alarm", reason: banned.reason }, ...actions],
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

/** Logs in when the ban is over, and not earlier. */
export function awaitBanEnd({ reason, until }: { reason: string; until: number }, now: number): Step {
  const ms = until - now;
  if (ms > 0)
    return { state: { is: "banned", reason, until }, actions: [{ do: "wait", ms: Math.min(ms, longestTimerMs) }] };
  return {
    state: { is: "connecting", attempt: 1, reason: "the ban is over" },
    actions: [{ do: "lift_suspension" }, { do: "connect" }],
  };
}

/** First opens a new socket, then reloads the session from the disk, then raises an alarm. */
export function afterDeafness(state: Extract<State, { is: "open" }>, heard: boolean, random: Chance): Step {
  const times = heard ? 1 : (state.deaf ?? 0) + 1;
  const reason = "WhatsApp delivers nothing: a probe to the own number was not answered";
  const ms = times === 1 ? 0 : backoff({ attempt: times, baseMs: 5_000, maxMs: 10 * 60_000 }, random);
  return {
    state: { is: "waiting", attempt: 0, deaf: times, reason },
    actions: [
      { do: "disconnect" },
      ...(times >= 2 ? [{ do: "close_store" } as const] : []),
      ...(times >= 3 ? [{ do: "alarm", reason } as const] : []),
      { do: "wait", ms },
    ],
  };
}

/** The transition of an open connection that can decrypt nothing. */
export function afterGarble(): Step {
  const reason = "none of the last messages could be decrypted";
  return {
    state: { is: "waiting", attempt: 0, reason },
    actions: [{ do: "disconnect" }, { do: "close_store" }, { do: "alarm", reason }, { do: "wait", ms: 0 }],
  };
}

/** The code was not used yet: requests new codes while the window lasts. */
function afterPairingEnd(trying: Trying & { pairing: Pairing }, end: End, now: number, random: Chance): Step {
  if (now >= trying.pairing.until) {
    const { method, handoff } = trying.pairing;
    const code = method === "qr" ? "the QR code was not scanned" : "the code was not entered";
    const what = handoff === undefined ? code : "the passkey was not approved";
    return { state: { is: "disconnected", reason: `${what} in time: connect again for a new one` }, actions: [] };
  }
  const rule = endRule(end);
  const maxMs = rule.next === "retry" ? rule.maxMs : 60_000;
  // The next round of codes follows at once after a round that expired; a failing server gets a backoff.
  const ms =
    end.code === 408 && trying.attempt <= 1 ? 0 : backoff({ attempt: trying.attempt, baseMs: 1000, maxMs }, random);
  const alarm = rule.next === "retry" && rule.alarm === true;
  return {
    state: {
      ...trying,
      is: "waiting",
      reason: rule.next === "retry" ? rule.reason : `WhatsApp refused the pairing (${end.code})`,
      ...(rule.next === "retry" && rule.outdated ? { outdated: true } : {}),
    },
    actions: [...(alarm ? [{ do: "alarm", reason: rule.reason } as const] : []), { do: "wait", ms }],
  };
}

/** True if the state has a connection, or one to come. */
export function isActive(state: State): state is Active {
  return ["connecting", "pairing", "passkey", "open", "waiting"].includes(state.is);
}

export function tryingOf(state: Active, now = 0): Trying {
  if (state.is === "open") return { attempt: now - state.at >= stableMs ? 0 : state.attempt, deaf: state.deaf };
  // Codes were shown: the connection was good.
  if (state.is === "pairing") return { attempt: 0, pairing: state.pairing };
  return { attempt: state.attempt, pairing: state.pairing, fresh: state.fresh, deaf: state.deaf };
}
