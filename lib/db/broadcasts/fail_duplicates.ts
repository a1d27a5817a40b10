import { sql } from "../client/literal.ts";
import { changeFromJson } from "../messages/status_change.ts";
import type { StatusChange } from "../messages/status_change.ts";
import type { BusinessScope } from "../scope.ts";

/**
 * Fails the queued messages of broadcasts that reach a chat a second time, after other names of its account were found
 * to be the same. The one that may have left already is kept. The caller holds the lease of the broadcast outbox.
 */
export async function failDuplicates(scope: BusinessScope, chats: readonly string[]): Promise<StatusChange[]> {
  const [row] = await scope.ask<[{ changed: Parameters<typeof changeFromJson>[0][] }]>(sql`
    with ranked as (
      select id, status, row_number() over (
        partition by broadcast_id, chat order by status = 'queued', attempts desc, id) as nth
      from messages m
      where business_id = ${scope.businessId} and chat = any (${chats}::text[]) and broadcast_id is not null
        and status <> 'failed' and broadcast_id in (
          select broadcast_id from messages q
          where q.business_id = ${scope.businessId} and q.chat = any (${chats}::text[]) and q.status = 'queued')
    ), locked as (
      -- In order of id, as every bulk statement on this table locks, so that two of them never deadlock.
      select m.id from messages m join ranked r using (id)
      where r.nth > 1 and m.status = 'queued' order by m.id for update of m
    ), failed as (
      update messages m
      set status = 'failed', failed_at = now(), next_attempt_at = null, wait_reason = null,
          error_code = 'duplicate_recipient',
          error_message = 'The broadcast reaches this account under another of its names.'
      from locked where m.id = locked.id
      returning m.id, m.business_id, m.chat, 'queued' as before, m.status, m.sent_at, m.delivered_at, m.read_at,
                m.played_at, m.failed_at, m.error_code, m.error_message
    )
    select coalesce((select jsonb_agg(to_jsonb(failed) order by failed.id) from failed), '[]') as changed`);
  return row.changed.map(changeFromJson);
}
