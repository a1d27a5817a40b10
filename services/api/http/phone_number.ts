import { z } from "@hono/zod-openapi";

/** E.164: 7 to 15 digits, of which the first is not zero. The plus sign is optional. */
export const phoneNumberPattern = /^\+?[1-9]\d{6,14}$/;

const message = "must be a number in international form (7 to 15 digits)";

/** A phone number as WhatsApp writes it: digits only. */
export const phoneDigits = z
  .string()
  .regex(phoneNumberPattern, message)
  .transform((number) => number.replace("+", ""));

/** A phone number as the carrier writes it: a plus sign and digits. */
export const e164 = z
  .string()
  .regex(phoneNumberPattern, message)
  .transform((number) => `+${number.replace("+", "")}`);
