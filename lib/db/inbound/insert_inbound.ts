import type { MessageContent } from "../../messages/index.ts";
import { toJson } from "../client/json.ts";
import type { Message } from "../schema.ts";
import type { PlatformScope } from "../scope.ts";
import type { IdentifiedMessage } from "./assign_ids.ts";

/** A message as a shard journaled it: received, or sent from the business's own phone. */
export type InboundMessage = {
  business_id: string;
  wa_message_id: string;
  chat: string;
  sender: string;
  from_me: boolean;
  push_name?: string | null | undefined;
  /** WhatsApp's time. */
  at: Date;
  type: string;
  text?: string | null | undefined;
  content?: MessageContent | null | undefined;
};

export type InsertedMessage = Pick<Message, "id" | "business_id" | "direction" | "chat">;

/**
 * Inserts many inbound messages of many businesses in one statement; returns the new ones in order of id. Skips
 * messages that the business sent through us and messages of deleted businesses.
 */
export async function insertInbound(
  scope: PlatformScope,
  rows: readonly IdentifiedMessage[],
): Promise<InsertedMessage[]> {
  if (rows.length === 0) return [];
  return scope.run(
    (sql) => sql<InsertedMessage[]>`
      insert into messages
        (id, business_id, direction, chat, sender, push_name, type, text, content, wa_message_id, status, queued_at,
          sent_at, delivered_at)
      select r.id, r.business_id, case when r.from_me then 'outbound' else 'inbound' end, r.chat, r.sender, r.push_name,
             r.type, r.text, r.content, r.wa_message_id, case when r.from_me then 'sent' else 'delivered' end,
             now(), r.at, case when r.from_me then null else now() end
      from jsonb_to_recordset(${toJson(rows)}::text::jsonb)
        as r(id uuid, business_id uuid, wa_message_id text, chat text, sender text, from_me boolean, push_name text,
             at timestamptz, type text, text text, content jsonb)
      join businesses b on b.id = r.business_id and b.deleted_at is null
      where not (r.from_me and exists (
        select from messages own
        where own.business_id = r.business_id and own.wa_message_id = r.wa_message_id and own.direction = 'outbound'
      ))
      -- After a move two shards may report the same messages: one order, so that their writers never deadlock.
      order by r.id
      on conflict (id) do nothing
      returning id, business_id, direction, chat`,
  );
}
