import { z } from "@hono/zod-openapi";
import { maxCallLimit } from "../../../../lib/calls/limit.ts";
import { callDirections, callOutcomes, recordingStatuses } from "../../../../lib/db/index.ts";
import type { Call } from "../../../../lib/db/index.ts";
import { cursorDescription, cursorFault, pageLimit } from "../../http/page.ts";
import { businessParams } from "../../http/params.ts";
import { e164 } from "../../http/phone_number.ts";
import { timestamp } from "../../http/text.ts";

const sid = z
  .string()
  .openapi({ description: "The carrier's id of the call.", example: "CA0123456789abcdef0123456789abcdef" });
export const liveStatuses = ["queued", "initiated", "ringing", "in_progress"] as const;

export const callParams = businessParams.extend({
  call_sid: z.string().openapi({
    param: { name: "call_sid", in: "path" },
    description: "The carrier's id of the call.",
    example: "CA0123456789abcdef0123456789abcdef",
  }),
});

const callCursor = z
  .string()
  .max(100)
  .transform((text, context) => {
    const [, ms, call_sid] = /^(\d{1,14}) (CA[0-9a-f]{32})$/.exec(Buffer.from(text, "base64url").toString()) ?? [];
    if (ms !== undefined && call_sid !== undefined) return { started_at: new Date(Number(ms)), call_sid };
    context.addIssue({ code: "custom", message: cursorFault });
    return z.NEVER;
  });

export function callCursorOf({ started_at, call_sid }: Pick<Call, "started_at" | "call_sid">): string {
  return Buffer.from(`${started_at.getTime()} ${call_sid}`).toString("base64url");
}

export const callQuery = z.object({
  direction: z.enum(callDirections).optional().openapi({ description: "Returns calls of this direction." }),
  status: z
    .enum(callOutcomes)
    .optional()
    .openapi({ description: "Returns calls that ended this way. lost: the carrier never reported the end." }),
  cursor: callCursor.optional().openapi({ type: "string", description: cursorDescription }),
  limit: pageLimit,
});

export const callSchema = z
  .object({
    call_sid: sid,
    direction: z.enum(callDirections),
    from: z.string().openapi({ example: "+5511987654321" }),
    to: z.string().openapi({ example: "+551140001000" }),
    status: z
      .enum([...liveStatuses, ...callOutcomes])
      .openapi({ description: "The state of a call in progress, or how it ended.", example: "completed" }),
    streams: z.int().openapi({
      description: "Number of media streams. More than one means that the call survived the loss of a replica.",
    }),
    transferred_to: z.string().nullable(),
    started_at: timestamp,
    answered_at: timestamp.nullable(),
    ended_at: timestamp.nullable().openapi({ description: "Null while the call is in progress." }),
    duration_s: z.int().nullable(),
  })
  .openapi("Call");

const recordingSchema = z
  .object({
    recording_sid: z.string(),
    status: z.enum(recordingStatuses).openapi({ description: "pending: not yet downloaded from the carrier." }),
    duration_s: z.int().nullable(),
    channels: z.int().nullable(),
    error: z.string().nullable(),
    url: z
      .string()
      .nullable()
      .openapi({ description: "Signed URL that needs no key and expires at `url_expires_at`. Null until stored." }),
    url_expires_at: timestamp.nullable(),
    created_at: timestamp,
    stored_at: timestamp.nullable(),
  })
  .openapi("CallRecording");

export const callDetail = callSchema.extend({ recordings: z.array(recordingSchema) }).openapi("CallDetail");

export const newCall = z
  .strictObject({
    from: e164.openapi({
      type: "string",
      description: "The caller id: a phone number of the business.",
      example: "+551140001000",
    }),
    to: e164.openapi({ type: "string", description: "The phone number to dial.", example: "+5511987654321" }),
  })
  .openapi("NewCall");
export const placedCall = z.object({ call_sid: sid, status: z.literal("queued") }).openapi("PlacedCall");

const maxConcurrent = z.int().min(0).max(maxCallLimit);

export const callLoadSchema = z
  .object({
    active: z.int().openapi({ description: "Calls in progress." }),
    max_concurrent: z.int().openapi({ description: "Maximum concurrent calls." }),
  })
  .openapi("CallLoad");
export const newCallLimit = z
  .strictObject({ max_concurrent: maxConcurrent.openapi({ description: "Maximum concurrent calls.", example: 80 }) })
  .openapi("NewCallLimit");
