import { maxLoggedId, truncate } from "../codec/bounds.ts";

/** The reaction of a session to the end of its connection. */
export type EndRule =
  /** Connect again, after a backoff that starts at `baseMs` and doubles up to `maxMs`. */
  | {
      next: "retry";
      baseMs: number;
      maxMs: number;
      reason: string;
      alarm?: boolean;
      /** Ended because WhatsApp retired the client version. */
      outdated?: boolean;
    }
  /** The login is permanently gone. */
  | { next: "logged_out"; reason: string }
  /** Another client uses this login. If both reconnected, they would replace each other for ever. */
  | { next: "conflict"; reason: string }
  /** WhatsApp refuses the account temporarily. An earlier login would prolong the ban. */
  | { next: "banned"; ms: number; reason: string }
  /** Another attempt can only do harm: a person has to act. */
  | { next: "disconnected"; reason: string };

/**
 * The party that ended the connection: WhatsApp's answer to a login (`<failure>`), WhatsApp on an open stream
 * (`<stream:error>`), or anything in between, from a gateway to this process. Only WhatsApp itself can end a login.
 */
export type EndSource = "failure" | "stream_error" | "transport";

/** The end of a connection. */
export type End = {
  /** The status, as Baileys reports it in `lastDisconnect`. */
  code: number;
  /** Default: transport. */
  source?: EndSource | undefined;
  /** With a `<failure>`: seconds that a temporary ban lasts. */
  expire?: number | undefined;
  /** With a `<failure>`: the reason for a ban, in WhatsApp's codes. */
  cause?: string | undefined;
  /** With a `<stream:error>`: the type of its `<conflict>`. */
  conflict?: string | undefined;
  /** With a `<stream:error>`: the tag of its child. */
  child?: string | undefined;
  /** With a child `<ack>`: the id of the stanza that WhatsApp misses an acknowledgement of. */
  stanza?: string | undefined;
};

const second = 1000;
const minute = 60 * second;

const retry = (baseMs: number, maxMs: number, reason: string, more: { alarm?: boolean; outdated?: boolean } = {}) =>
  ({ next: "retry", baseMs, maxMs, reason, ...more }) as const;
const person = (reason: string) => ({ next: "disconnected", reason }) as const;
const loggedOut = (reason: string) => ({ next: "logged_out", reason }) as const;

type Row = { source: EndSource; code: number | `conflict ${string}` | `child ${string}` } & (EndRule | { next: "ban" });

/**
 * Every known end: source, code, reaction and meaning. An end without a row is handled by `unknownEnd`. Sources of the
 * meanings: whatsmeow, `types/events/events.go` (`ConnectFailureReason`) and `handleStreamError`; Baileys,
 * `DisconnectReason`.
 */
export const knownEnds: readonly Row[] = [
  { source: "failure", code: 400, ...person("WhatsApp does not accept the login's form (400)") },
  { source: "failure", code: 401, ...loggedOut("the phone removed this device (401)") },
  { source: "failure", code: 402, next: "ban" },
  {
    source: "failure",
    code: 403,
    ...person("WhatsApp refuses this account (403): look at the phone, it may be banned"),
  },
  {
    source: "failure",
    code: 405,
    ...retry(10 * minute, 60 * minute, "WhatsApp has retired this client version (405): set another with wa:version", {
      alarm: true,
      outdated: true,
    }),
  },
  {
    source: "failure",
    code: 406,
    ...loggedOut("WhatsApp logged this account out (406): look at the phone, it may be banned"),
  },
  { source: "failure", code: 409, ...person("WhatsApp does not accept the client's user agent (409)") },
  {
    source: "failure",
    code: 411,
    ...person("the phone does not support linked devices (411): update WhatsApp on it"),
  },
  { source: "failure", code: 413, ...person("the client's access token has expired (413)") },
  { source: "failure", code: 414, ...person("WhatsApp does not accept the client's access token (414)") },
  { source: "failure", code: 415, ...person("WhatsApp does not find the account (415)") },
  { source: "failure", code: 418, ...person("WhatsApp does not know this client (418)") },
  { source: "failure", code: 500, ...retry(2 * second, 5 * minute, "WhatsApp failed to log in (500)") },
  { source: "failure", code: 501, ...person("WhatsApp does not offer this to the account (501)") },
  { source: "failure", code: 503, ...retry(5 * second, 5 * minute, "WhatsApp is unavailable (503)") },

  { source: "stream_error", code: "conflict device_removed", ...loggedOut("the phone removed this device (401)") },
  {
    source: "stream_error",
    code: "conflict replaced",
    next: "conflict",
    reason: "another client took over this login (440): stop it, then connect again",
  },
  { source: "stream_error", code: 503, ...retry(5 * second, 5 * minute, "WhatsApp is unavailable (503)") },
  // A stanza was not acknowledged; WhatsApp delivers it again after the login.
  { source: "stream_error", code: "child ack", ...retry(second, minute, "WhatsApp misses an acknowledgement") },
  {
    source: "stream_error",
    code: "child xml-not-well-formed",
    ...retry(second, minute, "WhatsApp does not understand a stanza"),
  },
  // The regular end of a pairing.
  { source: "stream_error", code: 515, ...retry(0, 10 * second, "WhatsApp requested a new connection (515)") },

  // The server is not WhatsApp, or the network is intercepted.
  {
    source: "transport",
    code: 400,
    ...retry(30 * second, 10 * minute, "the server's certificate is not signed by the trusted root", { alarm: true }),
  },
  { source: "transport", code: 408, ...retry(second, minute, "no answer in time (408)") },
  {
    source: "transport",
    code: 411,
    ...person("the phone does not support linked devices (411): update WhatsApp on it"),
  },
  { source: "transport", code: 428, ...retry(second / 2, minute, "the connection was closed (428)") },
  { source: "transport", code: 500, ...retry(2 * second, 5 * minute, "the connection failed (500)") },
  { source: "transport", code: 503, ...retry(5 * second, 5 * minute, "a gateway refused the connection (503)") },
];

const rows = new Map(knownEnds.map((row) => [`${row.source} ${row.code}`, row]));

/** Retried with long waits, because a fast retry may make it worse. An unknown code of WhatsApp's raises an alarm. */
function unknownEnd({ code, source = "transport", conflict }: End): EndRule {
  switch (source) {
    case "failure":
      return retry(10 * minute, 60 * minute, `WhatsApp refused the login for an unknown reason (${code})`, {
        alarm: true,
      });
    case "stream_error": {
      const what = conflict === undefined ? `${code}` : `${code}, conflict ${conflict}`;
      return retry(30 * second, 30 * minute, `WhatsApp ended the connection for an unknown reason (${what})`, {
        alarm: true,
      });
    }
    case "transport":
      return retry(2 * second, 5 * minute, `the connection ended with status ${code}`);
  }
}

function rowOf({ code, source = "transport", conflict, child }: End): Row | undefined {
  if (conflict !== undefined) return rows.get(`${source} conflict ${conflict}`);
  return rows.get(`${source} child ${child}`) ?? rows.get(`${source} ${code}`);
}

/** Returns the rule for an end. */
export function endRule(end: End): EndRule {
  const row = rowOf(end);
  if (row === undefined) return unknownEnd(end);
  return row.next === "ban" ? banRule(end) : row;
}

const banCauses: Record<string, string> = {
  "101": "too many messages to people who do not have the number",
  "102": "too many people blocked the number",
  "103": "too many groups with people who do not have the number",
  "104": "the same message to too many people",
  "106": "too many messages to a broadcast list",
};

/** Used if WhatsApp does not say when the ban ends. */
const defaultBanMs = 60 * minute;
const maxBanMs = 366 * 24 * 60 * minute;

function banRule({ expire, cause }: End): EndRule {
  const ms = expire === undefined || !(expire >= 0) ? defaultBanMs : Math.min(expire * second, maxBanMs);
  const why = cause === undefined ? "" : `: ${banCauses[cause] ?? `cause ${cause}`}`;
  return { next: "banned", ms, reason: `WhatsApp has banned this account temporarily (402)${why}` };
}

/** Bounds for what WhatsApp sends. */
const maxText = 32;

type StanzaData = {
  /** A `<failure>`'s attributes. */
  reason?: unknown;
  expire?: unknown;
  code?: unknown;
  /** A `<stream:error>`, or its first child. */
  tag?: unknown;
  attrs?: { type?: unknown; id?: unknown };
};

/** The end that Baileys reports as `lastDisconnect.error`: a `<failure>`'s attributes or the stanza are its data. */
export function endOf(error: unknown): End {
  const { output, data } = (error ?? {}) as { output?: { statusCode?: number }; data?: StanzaData };
  const status = output?.statusCode ?? 500;
  const code = Number.isInteger(status) && status >= 0 && status <= 999 ? status : 500;
  if (typeof data?.reason === "string") {
    const expire = data.expire === undefined ? undefined : Number(data.expire);
    return {
      code,
      source: "failure",
      ...(expire !== undefined && Number.isFinite(expire) ? { expire } : {}),
      ...(typeof data.code === "string" ? { cause: data.code.slice(0, maxText) } : {}),
    };
  }
  if (typeof data?.tag !== "string") return { code, source: "transport" };
  const type = data.attrs?.type;
  return {
    code,
    source: "stream_error",
    ...(data.tag === "conflict" ? { conflict: typeof type === "string" ? type.slice(0, maxText) : "" } : {}),
    ...(data.tag === "conflict" || data.tag === "stream:error" ? {} : { child: data.tag.slice(0, maxText) }),
    ...(data.tag === "ack" && typeof data.attrs?.id === "string"
      ? { stanza: truncate(data.attrs.id, maxLoggedId) }
      : {}),
  };
}
