import { z } from "@hono/zod-openapi";
import { cursorDescription, pageLimit } from "../../http/page.ts";
import { timestamp } from "../../http/text.ts";
import { chat, chatDoc } from "../chats/chat.ts";

export const newOptOut = z.strictObject({ chat: chat.openapi(chatDoc) }).openapi("NewOptOut");

export const optOutSchema = z.object({ chat: z.string(), created_at: timestamp }).openapi("OptOut");

/** The cursor encodes the chat of the last row; rows are sorted by chat. */
export const optOutQuery = z.object({
  cursor: z.string().max(200).optional().openapi({ description: cursorDescription }),
  limit: pageLimit,
});
