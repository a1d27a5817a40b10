import { z } from "@hono/zod-openapi";
import { broadcastStatuses } from "../../../../lib/broadcasts/status.ts";
import { faultOfTemplate, maxFields } from "../../../../lib/broadcasts/template.ts";
import { pageLimit } from "../../http/page.ts";
import { numberCursor } from "../../http/number_cursor.ts";
import { faultOfText, moment, storableText, timestamp } from "../../http/text.ts";
import { timeZone } from "../businesses/schemas.ts";
import { chat, chatDoc } from "../chats/chat.ts";

/** Maximum recipients of a JSON request. Larger lists are uploaded as CSV. */
const maxListed = 2_000;

const maxFieldLength = 1_000;

/** True if a template field may have this value. Mirrors the schema, for rows of a CSV table. */
export function isFieldValue(value: string): boolean {
  return value.length <= maxFieldLength && faultOfText(value) === undefined;
}

const fields = z
  .record(storableText(1, 64), storableText(0, maxFieldLength))
  .refine((record) => Object.keys(record).length <= maxFields, `may have up to ${maxFields} fields`)
  .openapi({ description: "Values of the text's fields for this recipient.", example: { name: "Ada" } });

export const recipient = z.strictObject({ to: chat.openapi(chatDoc), fields: fields.default({}) }).openapi("Recipient");
const recipients = z.array(recipient).min(1).max(maxListed);

const template = storableText(1, 65_536)
  .superRefine((text, context) => {
    const fault = faultOfTemplate(text);
    if (fault !== undefined) context.addIssue({ code: "custom", message: fault });
  })
  .openapi({
    description: "The text. {{field}} is replaced with the recipient's value of that field.",
    example: "Hello {{name}}, everything is 20 % off today.",
  });

const timeOfDay = z
  .string()
  .regex(/^([01]\d|2[0-3]):[0-5]\d$/, "must be a time of day, HH:MM")
  .openapi({ example: "21:00" });

const quietHours = z.strictObject({ from: timeOfDay, to: timeOfDay }).openapi({
  description:
    "Daily period in which nothing is sent, in the broadcast's time zone. If `from` is later than `to`, the period " +
    "includes midnight.",
});

const local = z.iso
  .datetime({ local: true, precision: -1 })
  .refine((text) => text > "0002" && text < "9999-12-30", "must lie in the years 2 to 9999");

export const newBroadcast = z
  .strictObject({
    name: storableText(1, 200).openapi({ description: "A name that you choose.", example: "Spring sale" }),
    text: template,
    recipients: recipients.optional().openapi({
      description:
        "With recipients, the broadcast starts at once or at its scheduled time. Without, it is created as a draft.",
    }),
    scheduled_at: moment.optional().openapi({
      type: "string",
      format: "date-time",
      description: "Earliest time to send.",
      example: "2036-03-01T12:00:00.000Z",
    }),
    scheduled_local: local
      .optional()
      .openapi({ description: "Earliest time to send, as local time in the time zone: 2036-03-01T09:00." }),
    time_zone: timeZone.optional().openapi({ description: "IANA time zone. Defaults to the business's." }),
    quiet_hours: quietHours.optional(),
    per_minute: z.int().min(1).max(60_000).default(300).openapi({ description: "Maximum messages per minute." }),
  })
  .refine((broadcast) => broadcast.scheduled_at === undefined || broadcast.scheduled_local === undefined, {
    path: ["scheduled_local"],
    message: "must not be combined with `scheduled_at`",
  })
  .openapi("NewBroadcast");
export type BroadcastRequest = z.output<typeof newBroadcast>;

export const moreRecipients = z.strictObject({ recipients }).openapi("MoreRecipients");

export const addedSchema = z
  .object({
    added: z.int().openapi({ description: "Recipients added." }),
    duplicates: z.int().openapi({ description: "Recipients skipped because they were already in the broadcast." }),
    refused: z.int().openapi({ description: "Rows that are invalid." }),
    faults: z
      .array(z.object({ line: z.int(), message: z.string() }))
      .openapi({ description: "Reasons for the first hundred invalid rows." }),
  })
  .openapi("AddedRecipients");

const progress = z
  .object({
    recipients: z.int(),
    pending: z.int().openapi({ description: "Recipients without a message: not sent yet, or cancelled." }),
    opted_out: z.int(),
    duplicate: z.int().openapi({ description: "Recipients whose account is a recipient under another name too." }),
    queued: z.int(),
    sent: z.int(),
    delivered: z.int(),
    read: z.int(),
    failed: z.int(),
  })
  .openapi({ description: "Number of recipients by the status of their message. Each recipient counts once." });

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

export const recipientQuery = z.object({ cursor: numberCursor, limit: pageLimit });

export const recipientSchema = z
  .object({
    chat: z.string(),
    status: z.enum(["pending", "opted_out", "duplicate", "queued", "sent", "delivered", "read", "played", "failed"]),
    message_id: z.string().nullable(),
    error: z.object({ code: z.string(), message: z.string() }).nullable(),
    sent_at: timestamp.nullable(),
    delivered_at: timestamp.nullable(),
    read_at: timestamp.nullable(),
  })
  .openapi("RecipientResult");
