import type { PacingDelay } from "../pacing/policy.ts";

/*
 * The result of handing one message to a session. There are four:
 *
 *   sent    WhatsApp's server acknowledged the message                              final
 *   failed  WhatsApp refused it, or it can never be sent                            final
 *   retry   undecided: it may have left or not; send it again under the same id     not final
 *   paced   not attempted: the account's pace requires it to wait                   not final
 *
 * A final result is recorded in the ledger and never changes. On the wire a result is `SendResult` of the shard's
 * contract, which adds the ids (`wireResult` in app.ts); Postgres and the public API derive a message's status from it.
 */

export type FinalResult =
  /** `recipients`: of a group message, the members that it was sent to. */
  | { status: "sent"; at: number; recipients?: number }
  | { status: "failed"; at: number; error: { code: string; message: string } };

/**
 * `waitMs`: the earliest time to try again. Without it the caller backs off on its own. `error`: WhatsApp's temporary
 * refusal. `account`: the JID of the recipient's account, to which the message has to be addressed.
 */
export type RetryResult = {
  status: "retry";
  waitMs?: number;
  error?: { code: string; message: string };
  account?: string;
};

export type PacedResult = { status: "paced" } & PacingDelay;

/** The result of a message that pacing admitted. */
export type LaneResult = FinalResult | RetryResult;

export type SendResult = LaneResult | PacedResult;

/** The final result in an acknowledgement. `refusal`: its code, and what it means. */
export function resultOfAck(refusal?: { code: string; meaning: string }): FinalResult {
  const at = Date.now();
  if (refusal === undefined) return { status: "sent", at };
  return { status: "failed", at, error: { code: refusal.code, message: refusal.meaning } };
}
