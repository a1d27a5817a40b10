import { and, eq, gt, sql } from "drizzle-orm";
import { messages } from "../messages/schema.ts";
import type { Message } from "../messages/schema.ts";
import { fetchRows, query } from "../query.ts";
import type { BusinessScope } from "../scope.ts";
import { broadcastRecipients } from "./schema.ts";
import type { BroadcastRecipient } from "./schema.ts";

export type RecipientResult = Pick<BroadcastRecipient, "place" | "chat" | "status" | "message_id"> & {
  /** Null without a message. */
  message_status: Message["status"] | null;
} & Pick<Message, "error_code" | "error_message" | "sent_at" | "delivered_at" | "read_at">;

const { broadcast_id, business_id, chat, status, message_id } = broadcastRecipients;
const columns = {
  /** The driver returns a bigint as text. */
  place: sql<number>`${broadcastRecipients.place}::integer`.as("place"),
  chat,
  status,
  message_id,
  message_status: sql<Message["status"] | null>`${messages.status}`.as("message_status"),
  error_code: messages.error_code,
  error_message: messages.error_message,
  sent_at: messages.sent_at,
  delivered_at: messages.delivered_at,
  read_at: messages.read_at,
};

/** The recipients of a broadcast after the given one, in order, with the status of their messages. */
export function listRecipients(
  scope: BusinessScope,
  broadcastId: string,
  { after, limit }: { after: number; limit: number },
): Promise<RecipientResult[]> {
  return fetchRows(
    scope,
    query
      .select(columns)
      .from(broadcastRecipients)
      .leftJoin(messages, eq(messages.id, message_id))
      .where(
        and(eq(broadcast_id, broadcastId), eq(business_id, scope.businessId), gt(broadcastRecipients.place, after)),
      )
      .orderBy(broadcastRecipients.place)
      .limit(limit),
  );
}
