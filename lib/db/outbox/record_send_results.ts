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
 * Records the results of a batch in one statement; returns the rows that it found. An earlier receipt is kept, and so
 * is a hold of the message's broadcast. The wait until the next attempt is measured by the caller's clock and added to
 * Postgres' clock, because the two may differ.
 */
export async function recordSendResults(scope: BusinessScope, outcomes: SendOutcome[]): Promise<StatusChange[]> {
  if (outcomes.length === 0) return [];
  return scope.ask<StatusChange[]>(
    sql`
      with result as (
        select *, status in ('retry', 'paced') as waits from jsonb_to_recordset(${toJson(outcomes)}::jsonb)
          as r(id uuid, status text, at timestamptz, next_attempt_at timestamptz, wait_reason text, error_code text,
               error_message text, recipients integer)
      ), locked as (
        -- In order of id, as every bulk statement on this table locks, so that two of them never deadlock.
        select m.id, m.status as before from messages m join result using (id)
        where m.business_id = ${scope.businessId} order by m.id for update of m
      )
      update messages m
      set status = case
            when not r.waits and message_status_rank(r.status) > message_status_rank(m.status) then r.status
            else m.status
          end,
          attempts = m.attempts + case when r.status = 'paced' then 0 else 1 end,
          next_attempt_at = case
            when r.waits and m.status = 'queued' and m.wait_reason is distinct from 'broadcast'
            then greatest(m.next_attempt_at, now() + (r.next_attempt_at - ${sharedDate()}::timestamptz))
          end,
          wait_reason = case
            when not r.waits or m.status <> 'queued' then null
            when m.wait_reason = 'broadcast' then 'broadcast'
            when r.status = 'retry' then 'retry'
            else coalesce(r.wait_reason, 'pacing')
          end,
          group_recipients = coalesce(m.group_recipients, r.recipients),
          sent_at = case when r.status = 'sent' then least(m.sent_at, r.at) else m.sent_at end,
          failed_at = case when r.status = 'failed' then least(m.failed_at, r.at) else m.failed_at end,
          error_code = coalesce(r.error_code, m.error_code),
          error_message = coalesce(r.error_message, m.error_message)
      from result r join locked using (id)
      where m.id = r.id
      returning m.id, m.business_id, m.chat, locked.before, m.status, m.sent_at, m.delivered_at, m.read_at,
                m.played_at, m.failed_at, m.error_code, m.error_message`,
  );
}
