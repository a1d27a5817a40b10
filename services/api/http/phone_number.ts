import { z } from "@hono/zod-openapi";
import { notAPhoneNumber, phoneDigitsOf } from "../../../lib/core/phone_number.ts";

/** A phone number as people keep it, normalised as WhatsApp writes it: digits only. */
export const phoneDigits = z.string().transform((text, context) => {
  const number = phoneDigitsOf(text);
  if (number !== undefined) return number;
  context.addIssue({ code: "custom", message: notAPhoneNumber(text) });
  return z.NEVER;
});

/** The same, normalised as the carrier writes it: a plus sign and digits. */
export const e164 = phoneDigits.transform((number) => `+${number}`);
