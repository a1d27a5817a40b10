import { toJson } from "../client/json.ts";
import { chatNamed } from "../chats/chat_of.ts";
import { sql } from "../client/literal.ts";
import type { Message } from "../schema.ts";
import type { PlatformScope } from "../scope.ts";

/** A message as WhatsApp names it, and the chat in which it is referred to. */
export type NamedMessage = Pick<Message, "business_id" | "wa_message_id" | "chat">;
export type ReferencedMessage = NamedMessage & Pick<Message, "id" | "direction" | "sender" | "type">;

/**
 * The rows of messages that others are about; those that we do not have are left out. Senders create the ids, so the
 * message of the same chat comes first. A private answer may quote a message of a group.
 */
export function findReferences(
  scope: PlatformScope,
  names: NamedMessage[],
): Promise<(ReferencedMessage & { named_in: string })[]> {
  // Rows of an account may still be under another of its names.
  const named = {
    chat: chatNamed(sql`m.business_id`, sql`m.chat`),
    sender: chatNamed(sql`m.business_id`, sql`m.sender`),
  };
  return scope.ask(sql`
    select distinct on (m.business_id, m.wa_message_id, r.chat)
           m.business_id, m.wa_message_id, m.id, ${named.chat} as chat, m.direction, ${named.sender} as sender,
           m.type, r.chat as named_in
    from jsonb_to_recordset(${toJson(names)}::jsonb) as r(business_id uuid, wa_message_id text, chat text)
    join messages m on m.business_id = r.business_id and m.wa_message_id = r.wa_message_id
    order by m.business_id, m.wa_message_id, r.chat, ${named.chat} = r.chat desc, m.id`);
}
