import { z } from "@hono/zod-openapi";
import { messageDirections, messageStatuses } from "../../../../lib/db/index.ts";
import { publicContent } from "../../../../lib/messages/index.ts";
import { pageQuery } from "../../http/page.ts";
import { timestamp } from "../../http/text.ts";
import { chat, chatDoc } from "../chats/chat.ts";

export const acceptedMessage = z.object({ id: z.string(), status: z.literal("queued") }).openapi("AcceptedMessage");

export const messageQuery = z.object({
  chat: chat
    .optional()
    .openapi({ type: "string", description: `Returns messages of this chat. ${chatDoc.description}` }),
  direction: z.enum(messageDirections).optional().openapi({ description: "Returns messages of this direction." }),
  status: z.enum(messageStatuses).optional().openapi({ description: "Returns messages with this status." }),
  ...pageQuery,
});

export const messageSchema = z
  .object({
    id: z.string(),
    direction: z.enum(messageDirections),
    chat: z.string().openapi({ description: "JID of the chat.", example: "5511987654321@s.whatsapp.net" }),
    sender: z.string().nullable().openapi({ description: "JID of the sender. Null for messages sent with this API." }),
    sender_name: z.string().nullable(),
    type: z.string(),
    text: z.string().nullable().openapi({ description: "The text of the message, whatever its type." }),
    content: publicContent,
    status: z.enum(messageStatuses),
    error: z
      .object({ code: z.string(), message: z.string() })
      .optional()
      .openapi({ description: "Why the message failed." }),
    queued_at: timestamp,
    sent_at: timestamp.nullable(),
    delivered_at: timestamp.nullable(),
    read_at: timestamp.nullable(),
    played_at: timestamp.nullable(),
    failed_at: timestamp.nullable(),
    expires_at: timestamp.nullable(),
    edited_at: timestamp.nullable().openapi({ description: "Time of the last edit. `text` and `content` include it." }),
    deleted_at: timestamp.nullable().openapi({
      description: "When its author or an administrator of the group deleted it for everyone. The content stays.",
    }),
    reactions: z
      .array(
        z.object({
          sender: z.string().nullable().openapi({ description: "JID of the person. Null for the business." }),
          emoji: z.string(),
          at: timestamp,
        }),
      )
      .openapi({ description: "The current reaction of each person, at most the latest 200." }),
    receipts: z
      .object({
        delivered: z.int().min(0),
        read: z.int().min(0),
        of: z.int().min(0).nullable().openapi({ description: "Members that the message was sent to, if known." }),
      })
      .nullable()
      .openapi({
        description:
          "Of a message to a group: how many members received and read it. Its status is `delivered` or `read` once " +
          "all members have; a member who leaves before counts as missing. Null for other chats.",
      }),
  })
  .openapi("Message");

export const messageWithHistory = messageSchema
  .extend({
    edits: z
      .array(
        z.object({
          text: z.string().nullable(),
          at: timestamp.nullable().openapi({ description: "Time of the edit to this text. Null for the original." }),
        }),
      )
      .openapi({ description: "The texts before each edit, oldest first, at most the latest 10." }),
  })
  .openapi("MessageWithHistory");
