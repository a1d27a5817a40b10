import type { Suspension } from "../auth/suspension.ts";
import type { End } from "./ends.ts";
import type { Handoff, PasskeyProgress } from "./passkey/progress.ts";

/*
 * The life of a session. Pure: `transition` decides the next state and the actions; session.ts performs them.
 *
 *                    connect                     shown                 paired, then ended(515)
 *   disconnected ──────────────▶ connecting ──────────────▶ pairing ─────────────┐
 *        ▲                        ▲      │                     │ ended: codes used up
 *        │ 403, stop, code refused│ due  │ opened              │ (renewed while the window lasts)
 *        │                        │      ▼                     ▼
 *        ├──────────────────── waiting ◀─ ended: 428, 503, 408, 405, 515, … (ends.ts has the table)
 *        │                        ▲      │
 *        │                        └──── open ──▶ conflict    (440: only a `connect` leaves it)
 *        │                                 └───▶ logged_out  (401, or `logout`; the auth store is archived)
 *        │                  (402) ──▶ banned ── its end ──▶ connecting
 *        └── connect ◀── auth_error (the store cannot be used; nothing is overwritten)
 *
 * A phone that requires a passkey leads from pairing to passkey, and from there on as from pairing. After a broken
 * connection the next one goes on with it, until the passkey's deadline.
 *
 * 401 directly after a pairing, before the login has opened once, is not a logout: WhatsApp's servers may not know the
 * new device yet. The login is retried a few times first.
 *
 * A connection that is open and deaf goes to waiting too: first for a new socket, then for a session that is reloaded
 * from the disk, then with an alarm. A connection that can decrypt nothing is reloaded at once.
 */
/** The requested way to link. A pairing code keeps the plain device name: WhatsApp accepts known ones only. */
export type Want = { method: "qr"; deviceName?: string | undefined } | { method: "code"; phone: string };

export type Pairing = Want & {
  until: number;
  /** Set while the link requires a passkey. */
  handoff?: Handoff | undefined;
};

export type State =
  | {
      is: "disconnected";
      reason?: string | undefined;
      /** Stopped on request: only `start` and `connect` open it. */
      stopped?: true | undefined;
    }
  | ({ is: "connecting"; reason?: string | undefined } & Trying)
  | ({ is: "pairing"; show: "qr" | "code"; value: string; expiresAt: number } & Trying)
  | ({ is: "passkey"; progress: PasskeyProgress } & Trying)
  | { is: "open"; at: number; attempt: number; deaf?: number | undefined }
  | ({
      is: "waiting";
      reason: string;
      /** Ended by 405: another client version may open it at once. */
      outdated?: boolean;
    } & Trying)
  /** WhatsApp banned the account until then (Unix ms). */
  | { is: "banned"; reason: string; until: number }
  | { is: "logged_out"; reason: string }
  | { is: "conflict"; reason: string }
  | { is: "auth_error"; reason: string };

/** A state with a connection, or with one to come. */
export type Active = Extract<State, { is: "connecting" | "pairing" | "passkey" | "open" | "waiting" }>;

export type Trying = {
  /** Connection attempts since the last one that stayed open. */
  attempt: number;
  /** Set while no phone is linked yet. */
  pairing?: Pairing | undefined;
  /** A phone was linked and the login has not opened yet: the number of refusals since. */
  fresh?: number | undefined;
  /** Consecutive connections that were open and deaf. */
  deaf?: number | undefined;
};

export type Event =
  | { is: "connect"; paired: boolean; want: Want }
  /** At the start of the process, for a login on the volume. */
  | { is: "resume"; afterMs: number; suspension?: Suspension | undefined; fresh?: boolean }
  | { is: "shown"; show: "qr" | "code"; value: string; expiresAt: number }
  /** A step of a link with a passkey began. */
  | { is: "passkey"; progress: PasskeyProgress; handoff: Handoff }
  | { is: "passkey_failed"; reason: string }
  | { is: "paired" }
  | { is: "opened" }
  | ({ is: "ended" } & End)
  /** WhatsApp refused to issue a pairing code. */
  | { is: "code_refused"; code: number }
  /** The connection is open and delivers nothing; `heard`: whether it delivered anything earlier. */
  | { is: "deaf"; heard: boolean }
  /** Messages arrive from contacts and from own devices, and none of them can be decrypted. */
  | { is: "garbled" }
  /** The wait is over. */
  | { is: "due" }
  /** The volume failed a write: nothing more may be accepted from WhatsApp until writes succeed again. */
  | { is: "volume_failed"; reason: string }
  /** The auth store is damaged, foreign, or sealed under an unknown key. */
  | { is: "store_invalid"; reason: string }
  /** The volume failed to open the store of a session that has not started yet. */
  | { is: "store_unavailable"; reason: string }
  | { is: "logout" }
  /** On request: closes the connection until a `connect`, across restarts and moves. */
  | { is: "suspend"; paired: boolean }
  /** On request: a new connection from what is on the disk. */
  | { is: "restart" }
  | { is: "stop"; reason?: string };

export type Action =
  | { do: "connect" }
  | { do: "disconnect" }
  | { do: "wait"; ms: number }
  /** Load the store again, as at the start of the process. */
  | { do: "resume"; ms: number }
  | { do: "archive_store" }
  /** Close the store, so that the next connection is built only from what is on the disk. */
  | { do: "close_store" }
  /** Record on the volume that this login must not be opened automatically. */
  | { do: "suspend"; suspension: Suspension }
  | { do: "lift_suspension" }
  | { do: "alarm"; reason: string };

export type Step = { state: State; actions: Action[] };

/** How long codes are renewed for one `connect`. One round of WhatsApp's QR codes is 160 s. */
export const pairingWindowMs = 5 * 60_000;
/** A connection that was open for this long counts as good: the next end starts at the smallest backoff. */
export const stableMs = 60_000;
/** Until the next attempt to open a store that the volume failed to open. */
export const storeRetryMs = 5_000;
/** Consecutive failed connections before an alarm. */
export const attemptsBeforeAlarm = 8;
/** Refusals of a login that was paired a moment ago, before it counts as logged out. */
export const freshRefusals = 4;

export function unchanged(state: State): Step {
  return { state, actions: [] };
}
