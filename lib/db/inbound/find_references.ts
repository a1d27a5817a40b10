import { toJson } from "../client/json.ts";
import { chatNamed } from "../chats/chat_of.ts";
import { sql } from "../client/literal.ts";
import type { Message } from "../schema.ts";
import type { PlatformScope } from "../scope.ts";

/** A message as WhatsApp names it. */
export type NamedMessage = Pick<Message, "business_id" | "wa_message_id">;
export type ReferencedMessage = NamedMessage & Pick<Message, "id" | "chat" | "direction" | "sender" | "type">;

/** Rows read and returned for each id. Senders create the ids, so that any number of rows may share one. */
const maxRead = 200;
const maxReturned = 20;

/** The rows of messages that others are about, the oldest of each id first: a forger copies the id of an older row. */
export function findReferences(scope: PlatformScope, names: NamedMessage[]): Promise<ReferencedMessage[]> {
  // Rows of an account may still be under another of its names.
  return scope.ask(sql`
    select m.business_id, m.wa_message_id, m.id, ${chatNamed(sql`m.business_id`, sql`m.chat`)} as chat, m.direction,
           ${chatNamed(sql`m.business_id`, sql`m.sender`)} as sender, m.type
    from (
      select distinct business_id, wa_message_id
      from jsonb_to_recordset(${toJson(names)}::jsonb) as n(business_id uuid, wa_message_id text)
    ) r
    cross join lateral (
      select * from (
        select business_id, wa_message_id, id, chat, direction, sender, type from messages
        where business_id = r.business_id and wa_message_id = r.wa_message_id
        limit ${maxRead}
      ) found
      order by found.id limit ${maxReturned}
    ) m
    order by m.business_id, m.wa_message_id, m.id`);
}
