import { z } from "@hono/zod-openapi";
import { messageDirections, messageStatuses } from "../../../lib/db/index.ts";
import type { Message } from "../../../lib/db/index.ts";
import { pageQuery } from "./page.ts";
import { isoOrNull, storableText, timestamp } from "./text.ts";

const digits = /^\+?[1-9]\d{6,14}$/;
const jid = /^[0-9]{5,25}(-[0-9]{5,15})?@(s\.whatsapp\.net|lid|g\.us)$/;

/** A number in international form or a JID, as the JID of the conversation. */
const chat = z
  .string()
  .refine((to) => digits.test(to) || jid.test(to), "must be a number in international form (7 to 15 digits) or a WhatsApp JID")
  .transform((to) => (to.includes("@") ? to : `${to.replace("+", "")}@s.whatsapp.net`));

/** WhatsApp cuts texts off beyond this many characters. */
const maxText = 65_536;

export const newMessage = z
  .strictObject({
    to: chat.openapi({ type: "string", example: "5511987654321" }),
    type: z.literal("text"),
    text: storableText(1, maxText).openapi({ example: "Your order is ready." }),
    expires_at: z.iso
      .datetime({ offset: true })
      .transform((text) => new Date(text))
      .refine((at) => at.getTime() > Date.now(), "must lie in the future")
      .optional()
      .openapi({
        type: "string",
        format: "date-time",
        description: "After this the message is not sent any more, but fails.",
        example: "2026-03-01T12:05:00.000Z",
      }),
  })
  .openapi("NewMessage");

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
    sender: z.string().nullable().openapi({ description: "JID of who wrote it; null for what was sent over this API." }),
    sender_name: z.string().nullable(),
    type: z.string(),
    text: z.string().nullable(),
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

export function messageView(message: Message): z.infer<typeof messageSchema> {
  const failed = message.status === "failed";
  return {
    id: message.id,
    direction: message.direction,
    chat: message.chat,
    sender: message.sender,
    sender_name: message.push_name,
    type: message.type,
    text: message.text,
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
