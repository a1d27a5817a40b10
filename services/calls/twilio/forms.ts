import { z } from "zod";

/*
 * The carrier's webhook forms: the fields we read. Others are ignored, because the carrier adds to them whenever it
 * likes; those we read are parsed strictly.
 */

export const zCallSid = z.string().regex(/^CA[0-9a-f]{32}$/, "must be a call's sid");
const zRecordingSid = z.string().regex(/^RE[0-9a-f]{32}$/, "must be a recording's sid");
const zAccountSid = z.string().regex(/^AC[0-9a-f]{32}$/, "must be an account's sid");

/** E.164 for our own side of a call. */
export const zNumber = z.string().regex(/^\+[1-9]\d{6,14}$/, "must be a telephone number in E.164 form");
/** Who is at the other end: a number, a SIP address, a client's name; nothing where it is withheld. */
const zParty = z
  .string()
  .max(256)
  // Postgres holds no U+0000; the name of a SIP caller is whatever he says it is.
  .transform((party) => party.replaceAll("\u0000", "\uFFFD") || "anonymous");

/** Some counts are -1 while they are not known. */
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
/** What the carrier says of a call. The last five are final. */
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

/** A call begins, or the carrier asks what to do next. */
export const voiceForm = z.object({ ...call, CallStatus: z.enum(carrierStatuses) });
export type VoiceForm = z.output<typeof voiceForm>;

/** A call's status changed. */
export const statusForm = z.object({ ...call, CallStatus: z.enum(carrierStatuses), CallDuration: zCount.optional() });
export type StatusForm = z.output<typeof statusForm>;

/** A recording was made, or was not. */
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
    message: "is needed where the recording is completed",
  });
export type RecordingForm = z.output<typeof recordingForm>;

/** Another answer of ours could not be had or read. */
export const fallbackForm = z.object({
  ...call,
  CallStatus: z.enum(carrierStatuses),
  ErrorUrl: z.string().max(2048).optional(),
});
export type FallbackForm = z.output<typeof fallbackForm>;
