import { sql } from "../literal.ts";
import type { Message } from "../schema/index.ts";
import type { BusinessScope } from "../scope.ts";
import { heldUntil } from "./broadcasts/hold.ts";
import { changeFromJson } from "./status_change.ts";
import type { StatusChange } from "./status_change.ts";

export type PendingMessage = Pick<Message, "id" | "chat" | "type" | "text" | "content" | "wa_message_id" | "attempts">;

export type Pending = {
  messages: PendingMessage[];
  /** What failed by this call, because its time was over or its recipient had opted out. */
  expired: StatusChange[];
};

export type PendingOptions = {
  /** At most so many. */
  limit: number;
  /** Of these, at most so many of broadcasts, beside the ones that others of their chat have to wait for. */
  ofBroadcasts?: number;
};

/**
 * What is to be handed to the shard now, in order: the caller holds the lease of the business. Messages of broadcasts
 * come after all others; within a chat the order is that of writing, so those in front of another go with it. A chat
 * whose earlier message waits for its next attempt waits with it, so that nothing is overtaken. What has expired, and what a
 * broadcast has for somebody who opted out after it was released, fails here and is not given out.
 */
export async function pendingMessages(scope: BusinessScope, { limit, ofBroadcasts = 0 }: PendingOptions): Promise<Pending> {
  const optedOut = sql`exists (select from opt_outs o where o.business_id = m.business_id and o.chat = m.chat)`;
  const due = sql`m.business_id = ${scope.businessId} and m.status = 'queued' and m.next_attempt_at <= now()
        and (m.expires_at is null or m.expires_at > now())
        and not (m.broadcast_id is not null and ${optedOut})
        and not exists (
          select from messages earlier
          where earlier.business_id = m.business_id and earlier.chat = m.chat and earlier.status = 'queued'
            and earlier.id < m.id and earlier.next_attempt_at > now() and earlier.next_attempt_at < ${heldUntil}
            and (earlier.expires_at is null or earlier.expires_at > now())
        )`;
  const [row] = await scope.ask<[{ messages: PendingMessage[]; expired: Parameters<typeof changeFromJson>[0][] }]>(sql`
    with expired as (
      update messages m
      set status = 'failed', failed_at = now(), next_attempt_at = null,
          error_code = case when expires_at <= now() then 'expired' else 'opted_out' end,
          error_message = case when expires_at <= now() then 'It expired before it could be sent.' else 'The recipient opted out.' end
      where business_id = ${scope.businessId} and status = 'queued'
        and (expires_at <= now() or (broadcast_id is not null and next_attempt_at <= now() and ${optedOut}))
      returning id, business_id, chat, 'queued' as before, status, sent_at, delivered_at, read_at, played_at, failed_at,
                error_code, error_message
    ), urgent as (
      select m.id, m.chat from messages m where m.broadcast_id is null and ${due} order by m.id limit ${limit}
    ), in_front as (
      select m.id from messages m
      where m.broadcast_id is not null and exists (select from urgent u where u.chat = m.chat and m.id < u.id) and ${due}
    ), leisurely as (
      select m.id from messages m
      where m.broadcast_id is not null and m.id not in (select id from in_front) and ${due}
      order by m.id limit ${ofBroadcasts}
    ), chosen as (
      select id, 0 as rank from urgent union all select id, 0 from in_front union all select id, 1 from leisurely
      order by rank, id limit ${limit}
    ), pending as (
      select chosen.rank, m.id, m.chat, m.type, m.text, m.content, m.wa_message_id, m.attempts
      from chosen join messages m on m.id = chosen.id
    )
    select coalesce((select jsonb_agg(to_jsonb(p) - 'rank' order by p.rank, p.id) from pending p), '[]') as messages,
           coalesce((select jsonb_agg(to_jsonb(e) order by e.id) from expired e), '[]') as expired`);
  return { messages: row.messages, expired: row.expired.map(changeFromJson) };
}
