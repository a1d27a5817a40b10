import { z } from "zod";

/*
 * The carrier's webhook forms. The fields that we read are parsed strictly. Others are ignored, because the carrier may
 * add fields at any time.
 */

export const zCallSid = z.string().regex(/^CA[0-9a-f]{32}$/, "must be a call's sid");
const zRecordingSid = z.string().regex(/^RE[0-9a-f]{32}$/, "must be a recording's sid");
const zAccountSid = z.string().regex(/^AC[0-9a-f]{32}$/, "must be an account's sid");

/** Our own number of a call, E.164. */
export const zNumber = z.string().regex(/^\+[1-9]\d{6,14}$/, "must be a telephone number in E.164 form");
/** The other party of a call: a number, a SIP address or a client's name; empty if withheld. */
const zParty = z
  .string()
  .max(256)
  // A SIP caller chooses the name freely, and Postgres cannot store U+0000.
  .transform((party) => party.replaceAll("\u0000", "\uFFFD") || "anonymous");

/** A count; the carrier sends -1 for an unknown one. */
const zKnownCount = z
  .string()
  .regex(/^-?\d{1,9}$/)
  .transform((text) => (Number(text) < 0 ? undefined : Number(text)));

const zCount = z
  .string()
  .regex(/^\d{1,9}$/)
  .transform(Number);

export const carrierStatuses = [
  "queued",
  "initiated",
  "ringing",
  "in-progress",
  "completed",
  "busy",
  "no-answer",
  "failed",
  "canceled",
] as const;
/** The carrier's status of a call. The last five are final. */
export type CarrierStatus = (typeof carrierStatuses)[number];

const zDirection = z
  .enum(["inbound", "outbound-api", "outbound-dial"])
  .transform((direction) => (direction === "inbound" ? "inbound" : "outbound"));

const call = {
  CallSid: zCallSid,
  AccountSid: zAccountSid,
  From: zParty,
  To: zParty,
  Direction: zDirection,
};

/** A call starts, or the carrier requests its next instructions. */
export const voiceForm = z.object({ ...call, CallStatus: z.enum(carrierStatuses) });
export type VoiceForm = z.output<typeof voiceForm>;

/** A call's status changed. */
export const statusForm = z.object({ ...call, CallStatus: z.enum(carrierStatuses), CallDuration: zCount.optional() });
export type StatusForm = z.output<typeof statusForm>;

/** A recording was completed or has failed. */
export const recordingForm = z
  .object({
    CallSid: zCallSid,
    AccountSid: zAccountSid,
    RecordingSid: zRecordingSid,
    RecordingStatus: z.enum(["in-progress", "completed", "absent", "failed"]),
    RecordingUrl: z
      .url({ protocol: /^https?$/ })
      .max(2048)
      .optional(),
    RecordingDuration: zKnownCount.optional(),
    RecordingChannels: zKnownCount.transform((count) => count || undefined).optional(),
  })
  .refine((form) => form.RecordingStatus !== "completed" || form.RecordingUrl !== undefined, {
    path: ["RecordingUrl"],
    message: "is required if the recording is completed",
  });
export type RecordingForm = z.output<typeof recordingForm>;

/** The carrier could not fetch or parse an earlier answer of ours. */
export const fallbackForm = z.object({
  ...call,
  CallStatus: z.enum(carrierStatuses),
  ErrorUrl: z.string().max(2048).optional(),
});
