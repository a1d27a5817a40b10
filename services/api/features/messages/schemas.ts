import { z } from "@hono/zod-openapi";
import { messageDirections, messageStatuses } from "../../../../lib/db/index.ts";
import type { Message } from "../../../../lib/db/index.ts";
import { contentOf, publicContent, publicContentOf } from "../../../../lib/messages/index.ts";
import type { MediaLinks } from "../../../../lib/messages/index.ts";
import { chat } from "../chats/schemas.ts";
import { pageQuery } from "../../http/page.ts";
import { isoOrNull, timestamp } from "../../http/text.ts";

export const acceptedMessage = z.object({ id: z.string(), status: z.literal("queued") }).openapi("AcceptedMessage");

export const messageQuery = z.object({
  chat: chat.optional().openapi({ type: "string", description: "A number or a JID." }),
  direction: z.enum(messageDirections).optional(),
  status: z.enum(messageStatuses).optional(),
  ...pageQuery,
});

export const messageSchema = z
  .object({
    id: z.string(),
    direction: z.enum(messageDirections),
    chat: z.string().openapi({ description: "JID of the conversation.", example: "5511987654321@s.whatsapp.net" }),
    sender: z
      .string()
      .nullable()
      .openapi({ description: "JID of who wrote it; null for what was sent over this API." }),
    sender_name: z.string().nullable(),
    type: z.string(),
    text: z.string().nullable().openapi({ description: "What it says in words, of whichever kind it is." }),
    content: publicContent,
    status: z.enum(messageStatuses),
    error: z.object({ code: z.string(), message: z.string() }).optional().openapi({ description: "Why it failed." }),
    queued_at: timestamp,
    sent_at: timestamp.nullable(),
    delivered_at: timestamp.nullable(),
    read_at: timestamp.nullable(),
    played_at: timestamp.nullable(),
    failed_at: timestamp.nullable(),
    expires_at: timestamp.nullable(),
  })
  .openapi("Message");

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
  };
}
