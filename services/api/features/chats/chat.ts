import { z } from "@hono/zod-openapi";
import { phoneNumberPattern } from "../../http/phone_number.ts";

const jid = /^[1-9][0-9]{4,24}(-[0-9]{5,15})?@(s\.whatsapp\.net|lid|g\.us)$/;

/** A phone number in international form or a JID, normalised to the JID of the chat. */
export const chat = z
  .string()
  .refine(
    (to) => phoneNumberPattern.test(to) || jid.test(to),
    "must be a number in international form (7 to 15 digits) or a WhatsApp JID",
  )
  .transform((to) => (to.includes("@") ? to : `${to.replace("+", "")}@s.whatsapp.net`));

/** How parameters and fields that contain a chat are documented. */
export const chatDoc = {
  type: "string",
  description: "A phone number in international form, or a WhatsApp JID.",
  example: "5511987654321",
} as const;
