import { z } from "zod";

/*
 * The internal API of the calls service: `POST /calls` dials a call. An Idempotency-Key deduplicates repeated orders
 * for a day.
 */

export const callOrder = z.strictObject({
  business_id: z.uuid(),
  /** A number of the business. Both numbers are E.164 with the plus sign. */
  from: z.string().regex(/^\+[1-9]\d{6,14}$/, "must be a telephone number in E.164 form"),
  to: z.string().regex(/^\+[1-9]\d{6,14}$/, "must be a telephone number in E.164 form"),
});
export type CallOrder = z.output<typeof callOrder>;

/** An Idempotency-Key, with the same format as in the public API. */
export const callKey = z.string().regex(/^[\x21-\x7e]{1,255}$/, "must be 1 to 255 visible ASCII characters");

export const dialledCall = z.object({
  call_sid: z.string(),
  status: z.literal("queued"),
  /** True if an earlier request with this key dialled the call. */
  replayed: z.boolean(),
});
export type DialledCall = z.output<typeof dialledCall>;
