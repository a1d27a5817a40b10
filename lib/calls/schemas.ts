import { z } from "zod";

/* The internal API of the calls service: POST /calls places a call. */

export const callOrder = z.strictObject({
  business_id: z.uuid(),
  /** A number of the business; E.164 with the plus sign, as is the other. */
  from: z.string().regex(/^\+[1-9]\d{6,14}$/, "must be a telephone number in E.164 form"),
  to: z.string().regex(/^\+[1-9]\d{6,14}$/, "must be a telephone number in E.164 form"),
  /** The same key with the same order places no second call, for a day. */
  idempotency_key: z
    .string()
    .regex(/^[\x21-\x7e]{1,255}$/)
    .optional(),
});
export type CallOrder = z.output<typeof callOrder>;

export const placedCall = z.object({
  call_sid: z.string(),
  status: z.literal("queued"),
  /** It was placed at an earlier request. */
  replayed: z.boolean(),
});
export type PlacedCall = z.output<typeof placedCall>;
