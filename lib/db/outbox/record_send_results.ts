import { sharedDate } from "../../core/time.ts";
import { toJson } from "../client/json.ts";
import { sql } from "../client/literal.ts";
import type { StatusChange } from "../messages/status_change.ts";
import type { WaitReason } from "../schema.ts";
import type { BusinessScope } from "../scope.ts";

/** The result of handing one message to the shard. */
export type SendOutcome =
  /** `recipients`: of a group message, the members that it was sent to. */
  | { id: string; status: "sent"; at: Date; recipients?: number }
  | { id: string; status: "failed"; at: Date; error_code: string; error_message: string }
  /** The attempt failed; the message stays in the outbox until `next_attempt_at`. */
  | { id: string; status: "retry"; next_attempt_at: Date; error_code: string; error_message: string }
  /** No attempt was made; the message stays in the outbox until `next_attempt_at`. */
  | { id: string; status: "paced"; next_attempt_at: Date; wait_reason?: Extract<WaitReason, "pacing" | "upload"> };

/**
 * Records the results of a batch in one call of a database function; returns the rows that it found. An earlier receipt
 * is kept, and so is a hold of the message's broadcast. The wait until the next attempt is measured by the caller's
 * clock and added to Postgres' clock, because the two may differ.
 */
export async function recordSendResults(scope: BusinessScope, outcomes: SendOutcome[]): Promise<StatusChange[]> {
  if (outcomes.length === 0) return [];
  const batch = sql`${toJson(outcomes)}::jsonb, ${sharedDate()}::timestamptz`;
  return scope.ask<StatusChange[]>(sql`select * from record_send_results(${scope.businessId}, ${batch})`);
}
