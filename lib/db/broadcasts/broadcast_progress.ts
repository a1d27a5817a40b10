import { sql } from "../client/literal.ts";
import type { MessageStatus } from "../schema.ts";
import type { BusinessScope } from "../scope.ts";

export type BroadcastProgress = {
  recipients: number;
  /** Recipients without a message. */
  pending: number;
  opted_out: number;
  /** Recipients whose account is reached under another name. */
  duplicate: number;
  /** Messages of the other recipients, by status. */
  messages: Partial<Record<MessageStatus, number>>;
};

/** Counts the recipients of a broadcast by status. Hand-written SQL: one statement aggregates both tables. */
export async function broadcastProgress(scope: BusinessScope, id: string): Promise<BroadcastProgress> {
  const [progress] = await scope.ask<[BroadcastProgress]>(sql`
    with recipient as (
      select status, count(*)::integer as count from broadcast_recipients where broadcast_id = ${id} group by status
    ), message as (
      select status, count(*)::integer as count from messages
      where broadcast_id = ${id} and business_id = ${scope.businessId} group by status
    )
    select coalesce((select sum(count)::integer from recipient), 0) as recipients,
           coalesce((select count from recipient where status = 'pending'), 0) as pending,
           coalesce((select count from recipient where status = 'opted_out'), 0) as opted_out,
           coalesce((select count from recipient where status = 'duplicate'), 0) as duplicate,
           coalesce((select jsonb_object_agg(status, count) from message), '{}') as messages`);
  return progress;
}
