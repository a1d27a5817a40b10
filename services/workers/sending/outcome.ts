import { backoff } from "../../../lib/core/retry.ts";
import type { PendingMessage, SendOutcome } from "../../../lib/db/index.ts";
import type { SendResult } from "../../../lib/contracts/shard/index.ts";

/** It never ends in giving up: what was accepted is sent, or expires, or is refused by somebody who says why. */
const retryDelay = { baseMs: 500, maxMs: 60_000 };

/** For how long a paced message waits whose shard does not say: one of an older release. */
const pacedMs = 1_000;

/** The account may send nothing before `until`: there is nothing to record, the message stays due. */
export type Held = { id: string; status: "held"; until: Date };
type Undecided = Extract<SendOutcome, { status: "retry" }>;
export type HandedOver = SendOutcome | Held;

/** What to record of a message, from the shard's answer. */
export function outcomeOf(message: PendingMessage, result: SendResult, now: Date): HandedOver {
  switch (result.status) {
    case "sent":
      return { id: message.id, status: "sent", at: result.sent_at ? new Date(result.sent_at) : now };
    case "failed":
      return failed(
        message,
        result.error?.code ?? "refused",
        result.error?.message ?? "WhatsApp refused the message.",
        now,
      );
    case "retry":
      return atLeast(
        result.wait_ms ?? 0,
        undecided(
          message,
          result.error?.code ?? "not_sent",
          result.error?.message ?? "The shard could not send it yet.",
          now,
        ),
        now,
      );
    case "paced": {
      const at = new Date(now.getTime() + (result.wait_ms ?? pacedMs));
      if (result.holds === "everything") return { id: message.id, status: "held", until: at };
      return { id: message.id, status: "paced", next_attempt_at: at };
    }
  }
}

/** The message will never be sent. */
export function failed({ id }: PendingMessage, code: string, message: string, now: Date): SendOutcome {
  return { id, status: "failed", at: now, error_code: code, error_message: message };
}

/** Nothing was decided: the message waits, longer at each attempt, and its chat with it. */
export function undecided(message: PendingMessage, code: string, reason: string, now: Date): Undecided {
  const attempt = message.attempts + 1;
  return {
    id: message.id,
    status: "retry",
    next_attempt_at: new Date(now.getTime() + backoff({ attempt, ...retryDelay })),
    error_code: code,
    error_message: reason,
  };
}

/** The same outcome, and not before `waitMs` have passed: the shard knows how long WhatsApp is not to be asked. */
function atLeast(waitMs: number, outcome: Undecided, now: Date): Undecided {
  return { ...outcome, next_attempt_at: new Date(Math.max(outcome.next_attempt_at.getTime(), now.getTime() + waitMs)) };
}
