import { z } from "@hono/zod-openapi";
import { notAPhoneNumber, phoneDigitsOf } from "../../../../lib/core/phone_number.ts";

const jid = /^[1-9][0-9]{4,24}(-[0-9]{5,15})?@(s\.whatsapp\.net|lid|g\.us)$/;

/** A phone number in international form or a JID, normalised to a JID. It may be another name of the chat's account. */
export const chat = z.string().transform((to, context) => {
  const number = phoneDigitsOf(to);
  if (number !== undefined) return `${number}@s.whatsapp.net`;
  if (jid.test(to)) return to;
  context.addIssue({ code: "custom", message: `${notAPhoneNumber(to)}. A WhatsApp JID is accepted too` });
  return z.NEVER;
});

/** How parameters and fields that contain a chat are documented. */
export const chatDoc = {
  type: "string",
  description: "A phone number in international form, or a WhatsApp JID.",
  example: "5511987654321",
} as const;
