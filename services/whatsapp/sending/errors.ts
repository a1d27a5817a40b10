import { refusalCode } from "../chats/query.ts";

/** The message can never be sent: it fails at once and does not block its chat. */
export class Undeliverable extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** WhatsApp must not be queried for `waitMs`. Says nothing about the message: only its chat waits. */
export class Transient extends Error {
  override name = "Transient";
  readonly waitMs: number;

  constructor(message: string, waitMs: number) {
    super(message);
    this.waitMs = waitMs;
  }
}

/**
 * Codes with which WhatsApp acknowledges a message or answers a query during a temporary failure of its own: timeout,
 * stale addressing, overload, outage. None of them says anything about the message.
 */
const transientAcks: ReadonlySet<string> = new Set(["408", "421", "500", "503"]);
const transientQueries: ReadonlySet<number> = new Set([408, 421, 429, 500, 502, 503, 504]);

export const isTransientAck = (code: string | undefined): boolean => code !== undefined && transientAcks.has(code);

/** The code of a query that WhatsApp refused temporarily; undefined for any other error. */
export function transientCode(error: unknown): number | undefined {
  const code = refusalCode(error);
  return code !== undefined && transientQueries.has(code) ? code : undefined;
}
