import { uuidv7, whatsappMessageId } from "../../core/ids.ts";
import { toJson } from "../client/json.ts";
import type { BroadcastRecipient } from "../schema.ts";
import type { BusinessScope } from "../scope.ts";
import { changeFromJson } from "../messages/status_change.ts";
import type { StatusChange } from "../messages/status_change.ts";

export type Release = {
  broadcastId: string;
  /** Recipients to release, at most. */
  limit: number;
  /** Characters of all texts of one release together, at most; the first text is always released. */
  maxLength: number;
  /** The time of the next release after this many messages. */
  nextReleaseAt: (released: number) => Date;
  /** The rendered text, or the error with which the message fails. */
  textFor: (fields: Record<string, string>) => { text: string } | { error: string };
};

/** `skipped`: recipients who opted out, or whose account is reached under another name. */
export type Released = { released: number; skipped: number; failed: StatusChange[] };

/** `name`: the recipient as it was added; `chat`: the chat of its account. */
type Next = Pick<BroadcastRecipient, "fields"> & { name: string; chat: string; opted_out: boolean; duplicate: boolean };
type Settled = {
  name: string;
  chat: string;
  id: string | null;
  skipped?: "opted_out" | "duplicate";
  text?: string;
  wa_message_id?: string;
  error?: string;
};

/**
 * Enqueues the messages for the next recipients of a running broadcast. A message and its recipient's row are written
 * together. Skips recipients who opted out, and reaches each account once; a failed message does not count. Returns
 * null unless the broadcast runs.
 */
export function releaseRecipients(
  scope: BusinessScope,
  { broadcastId, limit, maxLength, nextReleaseAt, textFor }: Release,
): Promise<Released | null> {
  return scope.run(async (sql) => {
    // The row lock serialises a pause and this release.
    const running = await sql`
      select from broadcasts where id = ${broadcastId} and business_id = ${scope.businessId} and status = 'running'
        for update`;
    if (running.length === 0) return null;
    // Materialised, so that other names are looked up for these rows alone.
    const next = await sql<Next[]>`
      with next as materialized (
        select r.broadcast_id, r.business_id, r.place as nth, r.chat as name, r.fields, coalesce(
          (select a.chat from chat_aliases a where a.business_id = r.business_id and a.alias = r.chat), r.chat) as chat
        from broadcast_recipients r
        where r.broadcast_id = ${broadcastId} and r.status = 'pending'
        order by r.place
        limit ${limit}
      )
      select n.name, n.chat, n.fields, o.chat is not null as opted_out,
             exists (
               select from (
                 select n.chat as name
                 union all
                 select a.alias from chat_aliases a where a.business_id = n.business_id and a.chat = n.chat
               ) account
               join broadcast_recipients other on other.broadcast_id = n.broadcast_id and other.chat = account.name
               join messages sent on sent.id = other.message_id
               where other.status = 'released' and sent.status <> 'failed'
             ) as duplicate
      from next n left join opt_outs o on o.business_id = n.business_id and o.chat = n.chat
      order by n.nth`;
    const settled: Settled[] = [];
    let [released, length] = [0, 0];
    const reached = new Set<string>();
    for (const { name, chat, fields, opted_out, duplicate } of next) {
      if (opted_out || duplicate || reached.has(chat)) {
        settled.push({ name, chat, id: null, skipped: opted_out ? "opted_out" : "duplicate" });
        continue;
      }
      const rendered = textFor(fields);
      length += "text" in rendered ? rendered.text.length : 0;
      if (length > maxLength && released > 0) break;
      const id = uuidv7();
      settled.push({ name, chat, id, wa_message_id: whatsappMessageId(id), ...rendered });
      if ("text" in rendered) reached.add(chat);
      released += 1;
    }
    const [row] = await sql<[{ failed: Parameters<typeof changeFromJson>[0][] }]>`
      with settled as (
        select * from jsonb_to_recordset(${toJson(settled)}::text::jsonb)
          as r(name text, chat text, id uuid, skipped text, text text, wa_message_id text, error text)
      ), recipient as (
        update broadcast_recipients r
        set status = coalesce(s.skipped, 'released'), message_id = s.id
        from settled s where r.broadcast_id = ${broadcastId} and r.chat = s.name
      ), broadcast as (
        update broadcasts set next_release_at = ${nextReleaseAt(released)} where id = ${broadcastId}
      ), written as (
        insert into messages (id, business_id, direction, chat, type, text, wa_message_id, status, next_attempt_at,
                              failed_at, error_code, error_message, broadcast_id)
        select s.id, ${scope.businessId}::uuid, 'outbound', s.chat, 'text', s.text, s.wa_message_id,
               case when s.error is null then 'queued' else 'failed' end,
               case when s.error is null then date_trunc('milliseconds', now()) end,
               case when s.error is not null then now() end,
               case when s.error is not null then 'text_too_long' end,
               s.error, ${broadcastId}::uuid
        from settled s where s.id is not null
        returning id, business_id, chat, 'queued' as before, status, sent_at, delivered_at, read_at, played_at,
                  failed_at, error_code, error_message
      )
      select coalesce((select jsonb_agg(to_jsonb(w) order by w.id) from written w
        where w.status = 'failed'), '[]') as failed`;
    const failed = row.failed.map(changeFromJson);
    return { released: released - failed.length, skipped: settled.length - released, failed };
  });
}
