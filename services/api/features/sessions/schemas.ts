import { z } from "@hono/zod-openapi";
import type { Business, WhatsappSession } from "../../../../lib/db/index.ts";
import { sessionStatus } from "../../../../lib/contracts/shard/schemas.ts";
import type { SessionStatus, SessionView } from "../../../../lib/contracts/shard/schemas.ts";
import { timestamp } from "../../http/text.ts";

export const newConnection = z
  .strictObject({
    method: z.enum(["qr", "code"]),
    phone: z
      .string()
      .regex(/^\+?[1-9]\d{6,14}$/, "must be 7 to 15 digits in international form")
      .transform((phone) => phone.replace("+", ""))
      .optional()
      .openapi({ type: "string", description: 'The number to pair, needed for "code".', example: "5511987654321" }),
  })
  .refine((request) => request.method !== "code" || request.phone !== undefined, {
    path: ["phone"],
    message: 'is needed when the method is "code"',
  })
  .openapi("NewConnection");

export const sessionSchema = z
  .object({
    status: sessionStatus,
    shard: z.int().nullable(),
    phone: z.string().nullable(),
    name: z.string().nullable(),
    paired: z.boolean().openapi({ description: "Whether messages can be sent, now or once it is open again." }),
    qr: z.string().optional().openapi({ description: 'While the status is "qr": the text of the QR picture.' }),
    qr_expires_at: timestamp.optional(),
    code: z.string().optional().openapi({ description: 'While the status is "code": to be typed into the phone.' }),
    reason: z.string().nullable().openapi({ description: "Why it is not open." }),
    banned_until: timestamp.optional().openapi({
      description:
        'While the status is "banned": WhatsApp refuses the account until then. The session logs in again by itself.',
    }),
    since: timestamp,
    live: z.boolean().openapi({ description: "False: the shard could not be asked, this is what it said last." }),
  })
  .openapi("WhatsappSession");
export type SessionAnswer = z.infer<typeof sessionSchema>;

/**
 * As the shard says. The QR and the code link a phone to the business: they are for those who may do that.
 */
export function liveSession(view: SessionView, mayPair: boolean): SessionAnswer {
  return {
    status: view.status,
    shard: view.shard,
    phone: view.phone,
    name: view.name ?? null,
    paired: view.paired,
    ...(view.qr && mayPair ? { qr: view.qr } : {}),
    ...(view.qr_expires_at ? { qr_expires_at: new Date(view.qr_expires_at).toISOString() } : {}),
    ...(view.code && mayPair ? { code: view.code } : {}),
    reason: view.reason ?? null,
    ...(view.banned_until ? { banned_until: new Date(view.banned_until).toISOString() } : {}),
    since: new Date(view.since).toISOString(),
    live: true,
  };
}

/** As the shard said last. */
export function mirroredSession(session: WhatsappSession): SessionAnswer {
  return {
    status: session.status as SessionStatus,
    shard: session.shard,
    phone: session.phone,
    name: session.name,
    paired: session.paired,
    reason: session.reason,
    since: session.since.toISOString(),
    live: false,
  };
}

/** Of a business that never connected, or whose shard knows nothing of it. */
export function absentSession(business: Business): SessionAnswer {
  return {
    status: "disconnected",
    shard: business.whatsapp_shard,
    phone: null,
    name: null,
    paired: false,
    reason: null,
    since: business.created_at.toISOString(),
    live: true,
  };
}
