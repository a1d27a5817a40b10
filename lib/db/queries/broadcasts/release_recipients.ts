import { uuidv7, whatsappMessageId } from "../../../core/ids.ts";
import { toJson } from "../../json.ts";
import type { BroadcastRecipient } from "../../schema/index.ts";
import type { BusinessScope } from "../../scope.ts";

export type Release = {
  broadcastId: string;
  /** At most so many recipients. */
  limit: number;
  /** When the next may follow, given how many there were. */
  nextReleaseAt: (released: number) => Date;
  textFor: (fields: Record<string, string>) => string;
};

export type Released = { released: number; optedOut: number };

type Next = Pick<BroadcastRecipient, "chat" | "fields"> & { opted_out: boolean };

/**
 * Puts the messages for the next recipients of a running broadcast into the outbox, each together with its recipient's
 * row: either both are written or neither. Who has opted out is passed over. Null where it does not run any more.
 */
export function releaseRecipients(scope: BusinessScope, { broadcastId, limit, nextReleaseAt, textFor }: Release): Promise<Released | null> {
  return scope.run(async (sql) => {
    // A pause waits for this, or this for the pause.
    const running = await sql`
      select from broadcasts where id = ${broadcastId} and business_id = ${scope.businessId} and status = 'running' for update`;
    if (running.length === 0) return null;
    const next = await sql<Next[]>`
      select r.chat, r.fields, o.chat is not null as opted_out
      from broadcast_recipients r left join opt_outs o on o.business_id = r.business_id and o.chat = r.chat
      where r.broadcast_id = ${broadcastId} and r.status = 'pending'
      order by r.place
      limit ${limit}`;
    const settled = next.map(({ chat, fields, opted_out }) => {
      const id = opted_out ? null : uuidv7();
      return { chat, id, ...(id === null ? {} : { text: textFor(fields), wa_message_id: whatsappMessageId(id) }) };
    });
    const released = settled.filter(({ id }) => id !== null).length;
    await sql`
      with settled as (
        select * from jsonb_to_recordset(${toJson(settled)}::text::jsonb) as r(chat text, id uuid, text text, wa_message_id text)
      ), recipient as (
        update broadcast_recipients r
        set status = case when s.id is null then 'opted_out' else 'released' end, message_id = s.id
        from settled s where r.broadcast_id = ${broadcastId} and r.chat = s.chat
      ), broadcast as (
        update broadcasts set next_release_at = ${nextReleaseAt(released)} where id = ${broadcastId}
      )
      insert into messages (id, business_id, direction, chat, type, text, wa_message_id, status, next_attempt_at, broadcast_id)
      select s.id, ${scope.businessId}::uuid, 'outbound', s.chat, 'text', s.text, s.wa_message_id, 'queued',
             date_trunc('milliseconds', now()), ${broadcastId}::uuid
      from settled s where s.id is not null`;
    return { released, optedOut: settled.length - released };
  });
}
