import { toJson } from "../client/json.ts";
import { sql } from "../client/literal.ts";
import type { Message } from "../schema.ts";
import type { PlatformScope } from "../scope.ts";

/** A message as WhatsApp names it, and the business in whose chats it is. */
export type NamedMessage = Pick<Message, "business_id" | "wa_message_id">;

/** The rows of messages that others are about; those that we do not have are left out. */
export function findReferences(
  scope: PlatformScope,
  named: NamedMessage[],
): Promise<(NamedMessage & Pick<Message, "id">)[]> {
  return scope.ask(sql`
    select distinct on (m.business_id, m.wa_message_id) m.business_id, m.wa_message_id, m.id
    from jsonb_to_recordset(${toJson(named)}::jsonb) as r(business_id uuid, wa_message_id text)
    join messages m on m.business_id = r.business_id and m.wa_message_id = r.wa_message_id
    order by m.business_id, m.wa_message_id, m.id`);
}
