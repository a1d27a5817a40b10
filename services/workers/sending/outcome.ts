import { backoff } from "../../../lib/core/retry.ts";
import type { PendingMessage, SendOutcome } from "../../../lib/db/index.ts";
import type { SendResult } from "../../../lib/contracts/shard/index.ts";

/** Retries never give up: an accepted message is sent, expires, or is refused with a reason. */
const retryDelay = { baseMs: 500, maxMs: 60_000 };

/** Delay of a paced message if the shard, of an older release, returns none. */
const pacedMs = 1_000;

/** The account may send nothing before `until`. Nothing is recorded: the message stays due. */
export type Held = { id: string; status: "held"; until: Date };
/**
 * The recipient's account has another JID: the message is to be written under that chat. Nothing is recorded: it stays
 * due.
 */
export type Renamed = { id: string; status: "renamed"; alias: string; chat: string };
type Undecided = Extract<SendOutcome, { status: "retry" }>;
export type HandedOver = SendOutcome | Held | Renamed;

/** An outcome that is recorded in the message's row. */
export const isRecorded = (outcome: HandedOver): outcome is SendOutcome =>
  outcome.status !== "held" && outcome.status !== "renamed";

/** The outcome to record for a shard's result. */
export function outcomeOf(message: PendingMessage, result: SendResult, now: Date): HandedOver {
  switch (result.status) {
    case "sent":
      return {
        id: message.id,
        status: "sent",
        at: result.sent_at ? new Date(result.sent_at) : now,
        ...(result.recipients == null ? {} : { recipients: result.recipients }),
      };
    case "failed":
      return failed(
        message,
        result.error?.code ?? "refused",
        result.error?.message ?? "WhatsApp refused the message.",
        now,
      );
    case "retry":
      if (result.account) return { id: message.id, status: "renamed", alias: message.chat, chat: result.account };
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

/** A permanent failure. */
export function failed({ id }: PendingMessage, code: string, message: string, now: Date): SendOutcome {
  return { id, status: "failed", at: now, error_code: code, error_message: message };
}

/** A transient failure: the message and its chat back off. */
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

/** Delays an outcome's next attempt by at least `waitMs`, the time after which WhatsApp may be asked again. */
function atLeast(waitMs: number, outcome: Undecided, now: Date): Undecided {
  return { ...outcome, next_attempt_at: new Date(Math.max(outcome.next_attempt_at.getTime(), now.getTime() + waitMs)) };
}
