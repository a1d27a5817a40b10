import { z } from "@hono/zod-openapi";
import { maxNumbers } from "../../../../lib/contracts/shard/index.ts";

const digits = /^\+?[1-9]\d{6,14}$/;
const jid = /^[1-9][0-9]{4,24}(-[0-9]{5,15})?@(s\.whatsapp\.net|lid|g\.us)$/;

/** A number in international form or a JID, as the JID of the conversation. */
export const chat = z
  .string()
  .refine(
    (to) => digits.test(to) || jid.test(to),
    "must be a number in international form (7 to 15 digits) or a WhatsApp JID",
  )
  .transform((to) => (to.includes("@") ? to : `${to.replace("+", "")}@s.whatsapp.net`));

const person = chat.openapi({ type: "string", description: "A number or a JID.", example: "5511987654321" });

export const presence = z
  .discriminatedUnion("presence", [
    z.strictObject({ presence: z.enum(["available", "unavailable"]) }),
    z.strictObject({ presence: z.enum(["typing", "recording", "paused"]), chat: person }),
  ])
  .openapi("Presence");

const number = z
  .string()
  .regex(digits, "must be a number in international form (7 to 15 digits)")
  .transform((text) => text.replace("+", ""))
  .openapi({ type: "string", example: "5511987654321" });

export const numbersToCheck = z
  .strictObject({ numbers: z.array(number).min(1).max(maxNumbers) })
  .openapi("NumbersToCheck");

export const checkedNumbers = z
  .object({
    data: z
      .array(z.object({ number: z.string(), on_whatsapp: z.boolean(), jid: z.string().nullable() }))
      .openapi({ description: "One for each number, in order." }),
  })
  .openapi("CheckedNumbers");

export const pictureQuery = z.object({ of: person, size: z.enum(["preview", "full"]).default("preview") });

export const picture = z
  .object({
    url: z.string().nullable().openapi({
      description: "Where WhatsApp keeps it, for some days; null where there is none, or the business may not see it.",
    }),
  })
  .openapi("Picture");
