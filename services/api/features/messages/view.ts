import type { z } from "@hono/zod-openapi";
import type { Message } from "../../../../lib/db/index.ts";
import { contentOf, publicContentOf } from "../../../../lib/messages/index.ts";
import type { MediaLinks } from "../../../../lib/messages/index.ts";
import { isoOrNull } from "../../http/text.ts";
import type { messageSchema, messageWithHistory } from "./schemas.ts";

export function messageView(message: Message, links: MediaLinks): z.infer<typeof messageSchema> {
  const failed = message.status === "failed";
  return {
    id: message.id,
    direction: message.direction,
    chat: message.chat,
    sender: message.sender,
    sender_name: message.push_name,
    type: message.type,
    text: message.text,
    content: publicContentOf(contentOf(message), links),
    status: message.status,
    ...(failed ? { error: { code: message.error_code ?? "unknown", message: message.error_message ?? "" } } : {}),
    queued_at: message.queued_at.toISOString(),
    sent_at: isoOrNull(message.sent_at),
    delivered_at: isoOrNull(message.delivered_at),
    read_at: isoOrNull(message.read_at),
    played_at: isoOrNull(message.played_at),
    failed_at: failed ? isoOrNull(message.failed_at) : null,
    expires_at: isoOrNull(message.expires_at),
    edited_at: isoOrNull(message.edited_at),
    deleted_at: isoOrNull(message.deleted_at),
    reactions: message.reactions ?? [],
    receipts:
      message.group_recipients === null && message.group_delivered === null
        ? null
        : {
            delivered: message.group_delivered ?? 0,
            read: message.group_read ?? 0,
            of: message.group_recipients,
          },
  };
}

/** A message with its earlier texts. */
export function messageWithHistoryView(message: Message, links: MediaLinks): z.infer<typeof messageWithHistory> {
  return { ...messageView(message, links), edits: message.edits ?? [] };
}
