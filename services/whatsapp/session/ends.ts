/** The rule for a connection that ended with a given status. */
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

/** The attributes of a `<failure>` beside its code. */
export type Failure = {
  /** Seconds that a temporary ban lasts. */
  expire?: number | undefined;
  /** The reason for a ban, in WhatsApp's codes. */
  cause?: string | undefined;
};

const second = 1000;
const minute = 60 * second;

/** Status codes as Baileys reports them in `lastDisconnect`. */
const rules: Record<number, EndRule> = {
  // The server's certificate is wrong: it is not WhatsApp, or the network is intercepted.
  400: {
    next: "retry",
    baseMs: 30 * second,
    maxMs: 10 * minute,
    alarm: true,
    reason: "the server's certificate is not signed by the trusted root",
  },
  401: { next: "logged_out", reason: "the phone removed this device" },
  403: { next: "disconnected", reason: "WhatsApp refuses this account (403): look at the phone, it may be banned" },
  405: {
    next: "retry",
    baseMs: 10 * minute,
    maxMs: 60 * minute,
    alarm: true,
    outdated: true,
    reason: "WhatsApp has retired this client version (405): set a newer one with scale:wa-version",
  },
  406: { next: "logged_out", reason: "WhatsApp logged this account out (406): look at the phone, it may be banned" },
  408: { next: "retry", baseMs: second, maxMs: minute, reason: "no answer in time" },
  411: { next: "disconnected", reason: "the phone does not support linked devices (411): update WhatsApp on it" },
  428: { next: "retry", baseMs: second / 2, maxMs: minute, reason: "the connection was closed" },
  440: { next: "conflict", reason: "another client took over this login (440): stop it, then connect again" },
  500: { next: "retry", baseMs: 2 * second, maxMs: 5 * minute, reason: "the connection failed" },
  503: { next: "retry", baseMs: 5 * second, maxMs: 5 * minute, reason: "WhatsApp is unavailable (503)" },
  // Restart required: the regular end of a pairing.
  515: { next: "retry", baseMs: 0, maxMs: 10 * second, reason: "WhatsApp requested a new connection" },
};

/** Codes of a `<failure>` that end the login until a person has acted (whatsmeow, `events.ConnectFailureReason`). */
const needPerson: Record<number, string> = {
  400: "WhatsApp does not accept the login's form",
  409: "WhatsApp does not accept the client's token",
  411: "the phone does not support linked devices: update WhatsApp on it",
  413: "WhatsApp requires a test of the client",
  414: "WhatsApp does not accept the client's challenge",
  415: "WhatsApp does not know the client's platform",
  418: "WhatsApp does not accept the client's integrity",
  501: "WhatsApp does not offer this to the account",
};

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

/**
 * Returns the rule for a status. `failure` is WhatsApp's answer to a login: the same number has another meaning there
 * than when a connection breaks. An unknown status is retried with long waits.
 */
export function endRule(code: number, failure?: Failure): EndRule {
  if (failure !== undefined) {
    if (code === 402) return banRule(failure);
    const reason = needPerson[code];
    if (reason !== undefined) return { next: "disconnected", reason: `${reason} (${code})` };
    if (rules[code] === undefined) {
      const unknown = `WhatsApp refused the login for an unknown reason (${code})`;
      return { next: "retry", baseMs: 10 * minute, maxMs: 60 * minute, alarm: true, reason: unknown };
    }
  }
  return (
    rules[code] ?? {
      next: "retry",
      baseMs: 2 * second,
      maxMs: 5 * minute,
      reason: `the connection ended with status ${code}`,
    }
  );
}

function banRule({ expire, cause }: Failure): EndRule {
  const ms = expire === undefined || !(expire >= 0) ? defaultBanMs : Math.min(expire * second, maxBanMs);
  const why = cause === undefined ? "" : `: ${banCauses[cause] ?? `cause ${cause}`}`;
  return { next: "banned", ms, reason: `WhatsApp has banned this account temporarily (402)${why}` };
}

/** The status of Baileys' `lastDisconnect` error. */
export function statusCodeOf(error: unknown): number {
  const { output } = (error ?? {}) as { output?: { statusCode?: number } };
  return output?.statusCode ?? 500;
}

/** The attributes of a `<failure>`, which Baileys gives as the error's data; undefined for any other end. */
export function failureOf(error: unknown): Failure | undefined {
  const { data } = (error ?? {}) as { data?: { reason?: unknown; expire?: unknown; code?: unknown } };
  if (typeof data?.reason !== "string") return undefined;
  const expire = data.expire === undefined ? undefined : Number(data.expire);
  return {
    ...(expire !== undefined && Number.isFinite(expire) ? { expire } : {}),
    ...(typeof data.code === "string" ? { cause: data.code.slice(0, 16) } : {}),
  };
}
