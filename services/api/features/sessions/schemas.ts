import { z } from "@hono/zod-openapi";
import { deviceName, deviceNameForm } from "../../../../lib/contracts/shard/device_name.ts";
import { sessionStatus } from "../../../../lib/contracts/shard/schemas.ts";
import { phoneDigits } from "../../http/phone_number.ts";
import { timestamp } from "../../http/text.ts";
import { passkeySchema } from "./passkey_schemas.ts";

export const newConnection = z
  .strictObject({
    method: z.enum(["qr", "code"]).openapi({ description: "How to link the phone: by QR code or by pairing code." }),
    phone: phoneDigits.optional().openapi({
      type: "string",
      description: 'The phone number to link. Required if the method is "code".',
      example: "5511987654321",
    }),
    device_name: deviceName.optional().openapi({
      pattern: deviceNameForm.source,
      description:
        "Name under which the phone lists this device, if it is linked by QR code. Some accounts refuse unusual " +
        "names. Default: the business's, or else the platform's.",
      example: "Padaria Aurora",
    }),
  })
  .refine((request) => request.method !== "code" || request.phone !== undefined, {
    path: ["phone"],
    message: 'is required if the method is "code"',
  })
  .openapi("NewConnection");

export const sessionSchema = z
  .object({
    status: sessionStatus,
    shard: z.int().nullable().openapi({ description: "The shard that holds the session." }),
    phone: z.string().nullable().openapi({ description: "The linked phone number." }),
    name: z.string().nullable().openapi({ description: "The account's name on WhatsApp." }),
    paired: z.boolean().openapi({ description: "True if a phone is linked, so that messages can be queued." }),
    qr: z.string().optional().openapi({ description: 'The text of the QR code, while the status is "qr".' }),
    qr_expires_at: timestamp.optional(),
    code: z
      .string()
      .optional()
      .openapi({ description: 'The pairing code to type into the phone, while the status is "code".' }),
    passkey: passkeySchema.optional().openapi({
      description: 'The link with a passkey, while the status is "passkey".',
    }),
    stopped: z.boolean().optional().openapi({
      description: "True if the session was stopped on request; it stays closed until it is started or connected.",
    }),
    egress: z
      .object({
        proxy: z.string(),
        healthy: z.boolean().nullable().openapi({ description: "Null before the first check." }),
        checked_at: timestamp.nullable(),
        error: z.string().nullable(),
      })
      .optional()
      .openapi({
        description:
          "The egress proxy through which the session reaches WhatsApp, without its credentials. Only admin keys see " +
          "it.",
      }),
    reason: z.string().nullable().openapi({ description: "Why the session is not open." }),
    banned_until: timestamp.optional().openapi({
      description:
        'When WhatsApp accepts the account again, while the status is "banned". The session then logs in by itself.',
    }),
    since: timestamp,
    live: z.boolean().openapi({
      description: "False if the shard is unreachable and the response shows the last known state.",
    }),
  })
  .openapi("WhatsappSession");
