import { z } from "@hono/zod-openapi";
import { destinationRule, maxDestinationRules } from "../../../../lib/calls/destinations.ts";
import { maxCallLimit } from "../../../../lib/calls/limit.ts";
import { callDirections, callOutcomes, recordingStatuses } from "../../../../lib/db/index.ts";
import type { Call, CallRecording, CallSettings, PhoneNumber } from "../../../../lib/db/index.ts";
import type { LiveCall } from "../../../../lib/calls/live_call.ts";
import { isoOrNull, storableText, timestamp } from "../../http/text.ts";

const sid = z.string().openapi({ example: "CA0123456789abcdef0123456789abcdef" });
const liveStatuses = ["queued", "initiated", "ringing", "in_progress"] as const;

export const callParam = z
  .string()
  .openapi({ param: { name: "call_sid", in: "path" }, example: "CA0123456789abcdef0123456789abcdef" });

const callCursor = z
  .string()
  .max(100)
  .transform((text, context) => {
    const [, ms, call_sid] = /^(\d{1,14}) (CA[0-9a-f]{32})$/.exec(Buffer.from(text, "base64url").toString()) ?? [];
    if (ms !== undefined && call_sid !== undefined) return { started_at: new Date(Number(ms)), call_sid };
    context.addIssue({ code: "custom", message: "is not a cursor: send back `next_cursor` as it was given" });
    return z.NEVER;
  });

export const callQuery = z.object({
  direction: z.enum(callDirections).optional(),
  status: z.enum(callOutcomes).optional().openapi({ description: "How they ended; lost: the carrier never said." }),
  cursor: callCursor.optional().openapi({ type: "string", description: "`next_cursor` of the page before." }),
  limit: z.coerce.number().int().min(1).max(200).default(50).openapi({ type: "integer", description: "Rows a page." }),
});

export function callCursorOf({ started_at, call_sid }: Pick<Call, "started_at" | "call_sid">): string {
  return Buffer.from(`${started_at.getTime()} ${call_sid}`).toString("base64url");
}

export const callSchema = z
  .object({
    call_sid: sid,
    direction: z.enum(callDirections),
    from: z.string().openapi({ example: "+5511987654321" }),
    to: z.string().openapi({ example: "+551140001000" }),
    status: z
      .enum([...liveStatuses, ...callOutcomes])
      .openapi({ description: "How it ended, or how far it is.", example: "completed" }),
    streams: z.int().openapi({ description: "More than one: it outlived a replica that carried it." }),
    transferred_to: z.string().nullable(),
    started_at: timestamp,
    answered_at: timestamp.nullable(),
    ended_at: timestamp.nullable().openapi({ description: "Null while it is in progress." }),
    duration_s: z.int().nullable(),
  })
  .openapi("Call");

const recordingSchema = z
  .object({
    recording_sid: z.string(),
    status: z.enum(recordingStatuses).openapi({ description: "pending: still to be fetched from the carrier." }),
    duration_s: z.int().nullable(),
    channels: z.int().nullable(),
    error: z.string().nullable(),
    url: z
      .string()
      .nullable()
      .openapi({ description: "Where it can be had without a key, until url_expires_at; null until it is stored." }),
    url_expires_at: timestamp.nullable(),
    created_at: timestamp,
    stored_at: timestamp.nullable(),
  })
  .openapi("CallRecording");

export const callDetail = callSchema.extend({ recordings: z.array(recordingSchema) }).openapi("CallDetail");

/** From E.164; the plus sign may be missing. */
const e164 = z
  .string()
  .regex(/^\+?[1-9]\d{6,14}$/, "must be a number in international form (7 to 15 digits)")
  .transform((number) => `+${number.replace("+", "")}`);
export const newCall = z
  .strictObject({
    from: e164.openapi({ type: "string", description: "A number of the business.", example: "+551140001000" }),
    to: e164.openapi({ type: "string", example: "+5511987654321" }),
  })
  .openapi("NewCall");
export const placedCall = z.object({ call_sid: sid, status: z.literal("queued") }).openapi("PlacedCall");

export const numberForm = (text: string): string | undefined => e164.safeParse(text).data;

export const numberParam = z.string().openapi({
  param: { name: "number", in: "path" },
  description: "In international form.",
  example: "551140001000",
});

export const phoneNumberSchema = z
  .object({ number: z.string().openapi({ example: "+551140001000" }), created_at: timestamp })
  .openapi("PhoneNumber");

const maxConcurrent = z
  .int()
  .min(0)
  .max(maxCallLimit)
  .nullable()
  .openapi({ description: "Calls in progress at once; null: only the platform's limit.", example: 5 });
const allowedDestinations = z
  .array(destinationRule)
  .max(maxDestinationRules)
  .nullable()
  .openapi({
    description:
      'Destinations of calls and transfers: prefixes such as "+44", "!+4490" (denied), "own" (the country of the calling number) or "*". The longest match decides. Null: the platform\'s rules.',
    example: ["own", "+44", "!+4490"],
  });
const maxPerDay = z
  .int()
  .min(0)
  .max(1_000_000)
  .nullable()
  .openapi({ description: "Calls and transfers placed in 24 hours. Null: the platform's limit.", example: 500 });
const consentLine = storableText(1, 500).nullable().openapi({
  description: "Said before the recording begins; without it nothing is recorded.",
  example: "This call is recorded.",
});

export const callSettings = z
  .object({
    max_concurrent: maxConcurrent,
    allowed_destinations: allowedDestinations,
    max_per_day: maxPerDay,
    record: z.boolean(),
    consent_line: consentLine,
  })
  .openapi("CallSettings");

export const newCallSettings = z
  .strictObject({
    max_concurrent: maxConcurrent
      .optional()
      .openapi({ description: "Set by admin keys alone; left out, it stays as it is." }),
    allowed_destinations: allowedDestinations
      .optional()
      .openapi({ description: "Set by admin keys alone; keeps its value if omitted." }),
    max_per_day: maxPerDay.optional().openapi({ description: "Set by admin keys alone; keeps its value if omitted." }),
    record: z.boolean().default(false),
    consent_line: consentLine.default(null),
  })
  .refine(({ record, consent_line }) => !record || consent_line !== null, {
    path: ["consent_line"],
    message: "is needed when calls are recorded",
  })
  .openapi("NewCallSettings");

export const callLoadSchema = z
  .object({ active: z.int().openapi({ description: "Calls in progress." }), max_concurrent: z.int() })
  .openapi("CallLoad");
export const newCallLimit = z
  .strictObject({ max_concurrent: z.int().min(0).max(maxCallLimit).openapi({ example: 80 }) })
  .openapi("NewCallLimit");

export function callView(call: Call): z.infer<typeof callSchema> {
  return {
    call_sid: call.call_sid,
    direction: call.direction,
    from: call.from_number,
    to: call.to_number,
    status: call.status,
    streams: call.streams,
    transferred_to: call.transferred_to,
    started_at: call.started_at.toISOString(),
    answered_at: isoOrNull(call.answered_at),
    ended_at: call.ended_at.toISOString(),
    duration_s: call.duration_s,
  };
}

export type RecordingLink = (recordingSid: string) => { url: string; url_expires_at: string };

export function callDetailView(
  { recordings, ...call }: Call & { recordings: CallRecording[] },
  linkTo: RecordingLink,
): z.infer<typeof callDetail> {
  return {
    ...callView(call),
    recordings: recordings.map(({ recording_sid, status, duration_s, channels, error, created_at, stored_at }) => ({
      recording_sid,
      status,
      duration_s,
      channels,
      error,
      ...(status === "stored" ? linkTo(recording_sid) : { url: null, url_expires_at: null }),
      created_at: created_at.toISOString(),
      stored_at: isoOrNull(stored_at),
    })),
  };
}

/** A call in progress; one that ended a moment ago, and is on its way to the database, counts as that. */
export function liveCallView(callSid: string, call: LiveCall): z.infer<typeof callSchema> {
  const status = call.status.replaceAll("-", "_");
  return {
    call_sid: callSid,
    direction: call.direction,
    from: call.from,
    to: call.to,
    status: liveStatuses.find((known) => known === status) ?? "in_progress",
    streams: call.stream,
    transferred_to: null,
    started_at: new Date(call.started_at).toISOString(),
    answered_at: call.answered_at === null ? null : new Date(call.answered_at).toISOString(),
    ended_at: null,
    duration_s: null,
  };
}

export function phoneNumberView({ number, created_at }: PhoneNumber): z.infer<typeof phoneNumberSchema> {
  return { number, created_at: created_at.toISOString() };
}

export function callSettingsView(settings: CallSettings | undefined): z.infer<typeof callSettings> {
  const {
    max_concurrent = null,
    allowed_destinations = null,
    max_per_day = null,
    record = false,
    consent_line = null,
  } = settings ?? {};
  return { max_concurrent, allowed_destinations, max_per_day, record, consent_line };
}
