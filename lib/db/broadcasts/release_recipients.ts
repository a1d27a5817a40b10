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

export type Released = { released: number; optedOut: number; failed: StatusChange[] };

type Next = Pick<BroadcastRecipient, "chat" | "fields"> & { opted_out: boolean };
type Settled = { chat: string; id: string | null; text?: string; wa_message_id?: string; error?: string };

/**
 * Enqueues the messages for the next recipients of a running broadcast. A message and its recipient's row are written
 * together. Skips recipients who opted out. Returns null if the broadcast is not running.
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
    const next = await sql<Next[]>`
      select r.chat, r.fields, o.chat is not null as opted_out
      from broadcast_recipients r left join opt_outs o on o.business_id = r.business_id and o.chat = r.chat
      where r.broadcast_id = ${broadcastId} and r.status = 'pending'
      order by r.place
      limit ${limit}`;
    const settled: Settled[] = [];
    let [released, length] = [0, 0];
    for (const { chat, fields, opted_out } of next) {
      if (opted_out) {
        settled.push({ chat, id: null });
        continue;
      }
      const rendered = textFor(fields);
      length += "text" in rendered ? rendered.text.length : 0;
      if (length > maxLength && released > 0) break;
      const id = uuidv7();
      settled.push({ chat, id, wa_message_id: whatsappMessageId(id), ...rendered });
      released += 1;
    }
    const [row] = await sql<[{ failed: Parameters<typeof changeFromJson>[0][] }]>`
      with settled as (
        select * from jsonb_to_recordset(${toJson(settled)}::text::jsonb)
          as r(chat text, id uuid, text text, wa_message_id text, error text)
      ), recipient as (
        update broadcast_recipients r
        set status = case when s.id is null then 'opted_out' else 'released' end, message_id = s.id
        from settled s where r.broadcast_id = ${broadcastId} and r.chat = s.chat
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
    return { released: released - failed.length, optedOut: settled.length - released, failed };
  });
}
