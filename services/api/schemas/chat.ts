import { z } from "@hono/zod-openapi";

const digits = /^\+?[1-9]\d{6,14}$/;
const jid = /^[0-9]{5,25}(-[0-9]{5,15})?@(s\.whatsapp\.net|lid|g\.us)$/;

/** A number in international form or a JID, as the JID of the conversation. */
export const chat = z
  .string()
  .refine((to) => digits.test(to) || jid.test(to), "must be a number in international form (7 to 15 digits) or a WhatsApp JID")
  .transform((to) => (to.includes("@") ? to : `${to.replace("+", "")}@s.whatsapp.net`));
