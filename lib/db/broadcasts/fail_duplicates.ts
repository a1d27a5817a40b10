import { chatNamed } from "../chats/chat_of.ts";
import { toJson } from "../client/json.ts";
import { sql } from "../client/literal.ts";
import { changeFromJson } from "../messages/status_change.ts";
import type { StatusChange } from "../messages/status_change.ts";
import type { PendingMessage } from "../outbox/pending_messages.ts";
import type { BusinessScope } from "../scope.ts";

/**
 * Those of a broadcast's messages whose account gets another message of the same broadcast, as the recipient under
 * another name. Hand-written SQL: runs before each batch of a broadcast.
 */
export async function doubledAmong(
  scope: BusinessScope,
  messages: readonly Pick<PendingMessage, "id" | "chat" | "broadcast_id">[],
): Promise<string[]> {
  const ofBroadcasts = messages.flatMap(({ id, chat, broadcast_id }) =>
    broadcast_id === null ? [] : [{ id, chat, broadcast_id }],
  );
  if (ofBroadcasts.length === 0) return [];
  const rows = await scope.ask<{ id: string }[]>(sql`
    select m.id
    from jsonb_to_recordset(${toJson(ofBroadcasts)}::jsonb) as m(id uuid, chat text, broadcast_id uuid)
    cross join lateral (select ${chatNamed(sql`${scope.businessId}::uuid`, sql`m.chat`)} as chat) account
    where exists (
      select from (
        select account.chat as name
        union all
        select a.alias from chat_aliases a where a.business_id = ${scope.businessId} and a.chat = account.chat
      ) named
      join broadcast_recipients r on r.broadcast_id = m.broadcast_id and r.chat = named.name and r.message_id <> m.id
      join messages other on other.id = r.message_id and other.status <> 'failed'
    )`);
  return rows.map(({ id }) => id);
}

/**
 * Fails the queued messages of broadcasts that reach an account a second time, under any of its names. Keeps the one
 * that may have left already. The caller holds the lease of the broadcast outbox and has locked the messages.
 */
export async function failDuplicates(scope: BusinessScope, chats: readonly string[]): Promise<StatusChange[]> {
  const [row] = await scope.ask<[{ changed: Parameters<typeof changeFromJson>[0][] }]>(sql`
    with name as materialized (
      select chat as account, chat as name from unnest(${chats}::text[]) as chat
      union
      select chat, alias from chat_aliases where business_id = ${scope.businessId} and chat = any (${chats}::text[])
    ), ranked as (
      select m.id, m.status, row_number() over (
        partition by m.broadcast_id, name.account order by m.status = 'queued', m.attempts desc, m.id) as nth
      from name join messages m on m.chat = name.name
      where m.business_id = ${scope.businessId} and m.broadcast_id is not null and m.status <> 'failed'
        and m.broadcast_id in (
          select q.broadcast_id from name join messages q on q.chat = name.name
          where q.business_id = ${scope.businessId} and q.status = 'queued')
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
