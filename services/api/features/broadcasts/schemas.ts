import { z } from "@hono/zod-openapi";
import { momentOf } from "../../../../lib/broadcasts/quiet_hours.ts";
import { broadcastStatuses } from "../../../../lib/broadcasts/status.ts";
import { faultOfTemplate, maxFields } from "../../../../lib/broadcasts/template.ts";
import type { Broadcast, BroadcastProgress, OptOut, RecipientResult } from "../../../../lib/db/index.ts";
import { timeZone } from "../businesses/schemas.ts";
import { chat } from "../chats/schemas.ts";
import { numberCursor } from "../../http/number_cursor.ts";
import { faultOfText, isoOrNull, moment, storableText, timestamp } from "../../http/text.ts";

/** Recipients in one request as JSON; more come as CSV. */
export const mostListed = 2_000;

const to = chat.openapi({ type: "string", description: "A number or a JID.", example: "5511987654321" });

const maxFieldLength = 1_000;

/** Whether a field may hold this. */
export function isFieldValue(value: string): boolean {
  return value.length <= maxFieldLength && faultOfText(value) === undefined;
}

const fields = z
  .record(storableText(1, 64), storableText(0, maxFieldLength))
  .refine((record) => Object.keys(record).length <= maxFields, `may hold up to ${maxFields} fields`)
  .openapi({ example: { name: "Ada" } });

export const recipient = z.strictObject({ to, fields: fields.default({}) }).openapi("Recipient");
const recipients = z.array(recipient).min(1).max(mostListed);

const template = storableText(1, 65_536)
  .superRefine((text, context) => {
    const fault = faultOfTemplate(text);
    if (fault !== undefined) context.addIssue({ code: "custom", message: fault });
  })
  .openapi({
    description: "{{field}} stands for a recipient's own.",
    example: "Hello {{name}}, everything is 20 % off today.",
  });

const timeOfDay = z
  .string()
  .regex(/^([01]\d|2[0-3]):[0-5]\d$/, "must be a time of day, HH:MM")
  .openapi({ example: "21:00" });

const quietHours = z
  .strictObject({ from: timeOfDay, to: timeOfDay })
  .openapi({ description: "Nothing is sent from one to the other, in the time zone; from later than to is a night." });

const local = z.iso
  .datetime({ local: true, precision: -1 })
  .refine((text) => text > "0002" && text < "9999-12-30", "must lie in the years 2 to 9999");

export const newBroadcast = z
  .strictObject({
    name: storableText(1, 200).openapi({ example: "Spring sale" }),
    text: template,
    recipients: recipients
      .optional()
      .openapi({ description: "With recipients it starts at once, or when it is scheduled; without it is a draft." }),
    scheduled_at: moment.optional().openapi({
      type: "string",
      format: "date-time",
      description: "Not before this.",
      example: "2036-03-01T12:00:00.000Z",
    }),
    scheduled_local: local
      .optional()
      .openapi({ description: "The same as a time on the wall, in the time zone: 2036-03-01T09:00." }),
    time_zone: timeZone.optional().openapi({ description: "The business's own where it is not given." }),
    quiet_hours: quietHours.optional(),
    per_minute: z.int().min(1).max(60_000).default(300).openapi({ description: "Messages a minute, at most." }),
  })
  .refine((broadcast) => broadcast.scheduled_at === undefined || broadcast.scheduled_local === undefined, {
    path: ["scheduled_local"],
    message: "give `scheduled_at` or `scheduled_local`, not both",
  })
  .openapi("NewBroadcast");

/** When a broadcast is to begin, in the time zone that it has. */
export function scheduleOf(request: z.output<typeof newBroadcast>, timeZone: string): Date | null {
  if (request.scheduled_local !== undefined) return momentOf(request.scheduled_local, timeZone);
  return request.scheduled_at ?? null;
}

export const moreRecipients = z.strictObject({ recipients }).openapi("MoreRecipients");

export const addedSchema = z
  .object({
    added: z.int(),
    duplicates: z.int().openapi({ description: "Were recipients already, or came twice." }),
    refused: z.int(),
    faults: z
      .array(z.object({ line: z.int(), message: z.string() }))
      .openapi({ description: "Why, for the first hundred of those that were refused." }),
  })
  .openapi("AddedRecipients");

const progress = z
  .object({
    recipients: z.int(),
    pending: z.int().openapi({ description: "Not written to: not yet, or never if it was cancelled." }),
    opted_out: z.int(),
    queued: z.int(),
    sent: z.int(),
    delivered: z.int(),
    read: z.int(),
    failed: z.int(),
  })
  .openapi({ description: "Each recipient once, by what became of their message." });

export const broadcastSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    text: z.string(),
    status: z.enum(broadcastStatuses),
    scheduled_at: timestamp.nullable(),
    time_zone: z.string(),
    quiet_hours: z.object({ from: z.string(), to: z.string() }).nullable(),
    per_minute: z.int(),
    created_at: timestamp,
    started_at: timestamp.nullable(),
    ended_at: timestamp.nullable(),
  })
  .openapi("Broadcast");

export const broadcastDetail = broadcastSchema.extend({ progress }).openapi("BroadcastDetail");

export const startedBroadcast = broadcastSchema.extend({ recipients: addedSchema }).openapi("StartedBroadcast");

export const recipientQuery = z.object({
  cursor: numberCursor,
  limit: z.coerce.number().int().min(1).max(200).default(50).openapi({ type: "integer", description: "Rows a page." }),
});

export const recipientSchema = z
  .object({
    chat: z.string(),
    status: z.enum(["pending", "opted_out", "queued", "sent", "delivered", "read", "played", "failed"]),
    message_id: z.string().nullable(),
    error: z.object({ code: z.string(), message: z.string() }).nullable(),
    sent_at: timestamp.nullable(),
    delivered_at: timestamp.nullable(),
    read_at: timestamp.nullable(),
  })
  .openapi("RecipientResult");

export const newOptOut = z.strictObject({ chat: to }).openapi("NewOptOut");
export const optOutSchema = z.object({ chat: z.string(), created_at: timestamp }).openapi("OptOut");

export function broadcastView(broadcast: Broadcast): z.infer<typeof broadcastSchema> {
  const { quiet_from: from, quiet_to: until } = broadcast;
  return {
    id: broadcast.id,
    name: broadcast.name,
    text: broadcast.text,
    status: broadcast.status,
    scheduled_at: isoOrNull(broadcast.scheduled_at),
    time_zone: broadcast.time_zone,
    quiet_hours: from === null || until === null ? null : { from, to: until },
    per_minute: broadcast.per_minute,
    created_at: broadcast.created_at.toISOString(),
    started_at: isoOrNull(broadcast.started_at),
    ended_at: isoOrNull(broadcast.ended_at),
  };
}

export function broadcastDetailView(broadcast: Broadcast, given: BroadcastProgress): z.infer<typeof broadcastDetail> {
  const { recipients: all, pending, opted_out, messages } = given;
  const { queued = 0, sent = 0, delivered = 0, read = 0, played = 0, failed = 0 } = messages;
  return {
    ...broadcastView(broadcast),
    progress: { recipients: all, pending, opted_out, queued, sent, delivered, read: read + played, failed },
  };
}

export function recipientView(result: RecipientResult): z.infer<typeof recipientSchema> {
  const status = result.message_status ?? (result.status === "opted_out" ? "opted_out" : "pending");
  return {
    chat: result.chat,
    status,
    message_id: result.message_id,
    error: status === "failed" ? { code: result.error_code ?? "unknown", message: result.error_message ?? "" } : null,
    sent_at: isoOrNull(result.sent_at),
    delivered_at: isoOrNull(result.delivered_at),
    read_at: isoOrNull(result.read_at),
  };
}

export function optOutView({ chat: person, created_at }: OptOut): z.infer<typeof optOutSchema> {
  return { chat: person, created_at: created_at.toISOString() };
}
