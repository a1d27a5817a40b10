/** What to do when a connection has ended, by the status that it ended with. */
export type EndRule =
  /** Connect again, after a backoff that starts at `baseMs` and doubles up to `maxMs`. */
  | { next: "retry"; baseMs: number; maxMs: number; reason: string; alarm?: boolean }
  /** The login is gone for good. */
  | { next: "logged_out"; reason: string }
  /** Another client uses this login: two that both reconnect would throw each other out for ever. */
  | { next: "conflict"; reason: string }
  /** Trying again can only do harm; somebody has to look. */
  | { next: "disconnected"; reason: string };

const second = 1000;
const minute = 60 * second;

/** Status codes as Baileys reports them in `lastDisconnect`. */
const rules: Record<number, EndRule> = {
  // Of the server's certificate: it is not WhatsApp, or the network is being listened to.
  400: {
    next: "retry",
    baseMs: 30 * second,
    maxMs: 10 * minute,
    alarm: true,
    reason: "the server's certificate is not signed by the trusted root",
  },
  401: { next: "logged_out", reason: "the phone removed this device" },
  403: { next: "disconnected", reason: "WhatsApp refuses this account (403): look at the phone, it may be banned" },
  405: { next: "retry", baseMs: 10 * minute, maxMs: 60 * minute, alarm: true, reason: "WhatsApp refuses this client version (405)" },
  408: { next: "retry", baseMs: second, maxMs: minute, reason: "no answer in time" },
  411: { next: "disconnected", reason: "the phone does not support linked devices (411): update WhatsApp on it" },
  428: { next: "retry", baseMs: second / 2, maxMs: minute, reason: "the connection was closed" },
  440: { next: "conflict", reason: "another client took over this login (440): stop it, then connect again" },
  500: { next: "retry", baseMs: 2 * second, maxMs: 5 * minute, reason: "the connection failed" },
  503: { next: "retry", baseMs: 5 * second, maxMs: 5 * minute, reason: "WhatsApp is unavailable (503)" },
  // Restart required: the regular end of a pairing.
  515: { next: "retry", baseMs: 0, maxMs: 10 * second, reason: "WhatsApp asked for a new connection" },
};

/** The rule for a status; one that nobody knows is retried with patience. */
export function endRule(code: number): EndRule {
  return rules[code] ?? { next: "retry", baseMs: 2 * second, maxMs: 5 * minute, reason: `the connection ended with status ${code}` };
}
