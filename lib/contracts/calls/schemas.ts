import { z } from "zod";

/*
 * The internal API of the calls service: POST /calls places a call. With an Idempotency-Key the same order places no
 * second one, for a day.
 */

export const callOrder = z.strictObject({
  business_id: z.uuid(),
  /** A number of the business; E.164 with the plus sign, as is the other. */
  from: z.string().regex(/^\+[1-9]\d{6,14}$/, "must be a telephone number in E.164 form"),
  to: z.string().regex(/^\+[1-9]\d{6,14}$/, "must be a telephone number in E.164 form"),
});
export type CallOrder = z.output<typeof callOrder>;

/** As for every key of the API: visible ASCII. */
export const callKey = z.string().regex(/^[\x21-\x7e]{1,255}$/, "must be 1 to 255 visible ASCII characters");

export const placedCall = z.object({
  call_sid: z.string(),
  status: z.literal("queued"),
  /** It was placed at an earlier request. */
  replayed: z.boolean(),
});
export type PlacedCall = z.output<typeof placedCall>;
