import { sql } from "../client/literal.ts";
import type { BroadcastRecipient, Message } from "../schema.ts";
import type { BusinessScope } from "../scope.ts";

export type RecipientResult = Pick<BroadcastRecipient, "place" | "chat" | "status" | "message_id"> & {
  /** Its message's, where it has one. */
  message_status: Message["status"] | null;
} & Pick<Message, "error_code" | "error_message" | "sent_at" | "delivered_at" | "read_at">;

/** The recipients of a broadcast in their order, from `after` on, with what became of their messages. */
export function listRecipients(
  scope: BusinessScope,
  broadcastId: string,
  { after, limit }: { after: number; limit: number },
): Promise<RecipientResult[]> {
  return scope.ask<RecipientResult[]>(sql`
    select r.place::integer as place, r.chat, r.status, r.message_id, m.status as message_status, m.error_code, m.error_message,
           m.sent_at, m.delivered_at, m.read_at
    from broadcast_recipients r left join messages m on m.id = r.message_id
    where r.broadcast_id = ${broadcastId} and r.business_id = ${scope.businessId} and r.place > ${after}
    order by r.place
    limit ${limit}`);
}
