import { z } from "zod";
import { pacingSettings, pacingStop } from "./pacing.ts";
import { messageContent, outboundContent } from "../../messages/index.ts";

/*
 * The internal API of a WhatsApp shard, as both ends parse it. Names and meaning:
 *   session   one business's WhatsApp login on that shard
 *   journal   what WhatsApp delivered to the shard, kept on its volume until it is acknowledged
 * Each request names the shard that it is meant for in the header `x-shard`: an address may be another's by now.
 */

/** A shard takes at most this many messages in one batch. */
export const maxBatch = 50;

/** A shard gives at most this many journal entries in one page. */
export const maxJournalPage = 500;

export const sessionStatus = z.enum([
  "disconnected",
  "connecting",
  "qr",
  "code",
  "open",
  "logged_out",
  "conflict",
  "auth_error",
  "banned",
]);
export type SessionStatus = z.infer<typeof sessionStatus>;

const time = z.iso.datetime({ offset: true });

export const connectRequest = z
  .object({
    method: z.enum(["qr", "code"]),
    /** Digits of the number in international form, without "+". Only pairing by code needs it. */
    phone: z
      .string()
      .regex(/^[1-9]\d{6,14}$/, "must be 7 to 15 digits in international form, without +")
      .optional(),
  })
  .refine((request) => request.method !== "code" || request.phone !== undefined, {
    path: ["phone"],
    message: 'is needed when the method is "code"',
  });
export type ConnectRequest = z.infer<typeof connectRequest>;

export const sessionSummary = z.object({
  business_id: z.uuid(),
  shard: z.int().min(1),
  status: sessionStatus,
  phone: z.string().nullable(),
  lid: z.string().nullish(),
  name: z.string().nullish(),
  reason: z.string().nullish(),
  /** While the status is "banned": until when WhatsApp refuses the account. */
  banned_until: time.nullish(),
  since: time,
  /** Whether this login has credentials: it may open again without a new QR. */
  paired: z.boolean(),
  queue_depth: z.int().min(0),
  last_inbound_at: time.nullable(),
});
export type SessionSummary = z.infer<typeof sessionSummary>;

export const sessionView = sessionSummary.extend({
  /** The text to be shown as a QR picture, while the status is "qr". */
  qr: z.string().nullish(),
  qr_expires_at: time.nullish(),
  /** The code to be typed into the phone, while the status is "code". */
  code: z.string().nullish(),
});
export type SessionView = z.infer<typeof sessionView>;

/** What a shard says of itself and of the logins it holds. */
export const sessionList = z.object({
  data: z.array(sessionSummary),
  /** Messages that went through it in the last minute, in both directions. */
  messages_per_minute: z.number().min(0).nullish(),
  version: z.string().nullish(),
});
export type SessionList = z.infer<typeof sessionList>;

export const batchMessage = z
  .object({
    /** Our row's id. */
    id: z.uuid(),
    /** Derived from the row's id, the same at every attempt. */
    wa_message_id: z.string().min(1),
    /** Digits in international form without "+", or a JID. */
    to: z.string().min(1),
    /** Part of a broadcast, and nothing more urgent waits behind it in its chat: the pace lets the others go first. */
    bulk: z.boolean().optional(),
  })
  .and(outboundContent);
export type BatchMessage = z.infer<typeof batchMessage>;

export const batchRequest = z.object({
  messages: z.array(batchMessage).min(1).max(maxBatch),
  /** What the business has set; without it, the defaults of the shard. */
  pacing: pacingSettings.nullish(),
});

export const sendError = z.object({ code: z.string(), message: z.string() });

export const sendResult = z.object({
  id: z.uuid(),
  wa_message_id: z.string(),
  /** "retry": nothing was decided; hand the same message over again later. "paced": it was not its turn yet. */
  status: z.enum(["sent", "failed", "retry", "paced"]),
  sent_at: time.nullish(),
  /**
   * With "paced" and "retry": after how many milliseconds it may be handed over again, whatever the clocks say. `holds`,
   * with "paced": what has to wait with it.
   */
  wait_ms: z.int().min(0).nullish(),
  holds: pacingStop.shape.holds.nullish(),
  error: sendError.nullish(),
});
export type SendResult = z.infer<typeof sendResult>;

export const batchResponse = z.object({ results: z.array(sendResult) });

export const inboundData = z.looseObject({
  wa_message_id: z.string().min(1),
  /** JID of the conversation. */
  chat: z.string().min(1),
  /** JID of who wrote it: the chat itself, or a member of the group. */
  sender: z.string().min(1),
  /** Written by the business on its own phone. */
  from_me: z.boolean(),
  push_name: z.string().nullish(),
  /** WhatsApp's time, Unix ms. */
  timestamp: z.int().min(0),
  type: z.string().min(1),
  /** What it says in words. */
  text: z.string().nullish(),
  /** All that it says; null for a plain text. What cannot be understood holds nothing up. */
  content: messageContent.nullish().catch(null),
});
export type InboundData = z.infer<typeof inboundData>;

export const receiptData = z.object({
  wa_message_id: z.string().min(1),
  chat: z.string().min(1),
  status: z.enum(["sent", "delivered", "read", "played", "failed"]),
  /** Unix ms. */
  at: z.number().min(0),
  error: sendError.nullish(),
});
export type ReceiptData = z.infer<typeof receiptData>;

export const sessionEventData = z.object({
  event: z.literal("session.status"),
  status: sessionStatus,
  phone: z.string().nullish(),
  lid: z.string().nullish(),
  name: z.string().nullish(),
  paired: z.boolean(),
  reason: z.string().nullish(),
  since: time,
});
export type SessionEventData = z.infer<typeof sessionEventData>;

/** What each stream of the journal carries. */
export const journalStreams = {
  inbound: inboundData,
  receipts: receiptData,
  events: sessionEventData,
} as const;
export type JournalStream = keyof typeof journalStreams;
export type JournalData<S extends JournalStream> = z.infer<(typeof journalStreams)[S]>;

const journalEntry = <D extends z.ZodType>(data: D) =>
  z.object({
    /** Counts up within a stream of a shard. */
    seq: z.int().min(0),
    business_id: z.uuid(),
    /** When the shard wrote it down. */
    at: z.union([time, z.number().min(0)]).transform((value) => new Date(value)),
    data,
  });

/** One entry of each stream. Entries are parsed one by one: one that cannot be understood must not hold up the others. */
export const journalEntries = {
  inbound: journalEntry(inboundData),
  receipts: journalEntry(receiptData),
  events: journalEntry(sessionEventData),
} as const;
export type JournalEntry<S extends JournalStream> = {
  seq: number;
  business_id: string;
  at: Date;
  data: JournalData<S>;
};

/** A page of a stream as it travels: entries in order of `seq`, and whether there are more behind them. */
export const journalPage = z.object({ entries: z.array(z.looseObject({ seq: z.int().min(0) })), more: z.boolean() });

/** An entry that breaks its schema. */
export type RejectedEntry = {
  seq: number;
  /** Where it can be made out. */
  business_id: string | null;
  /** Which fields are at fault; none of their contents. */
  reason: string;
  /** The entry as it came. */
  entry: unknown;
};

export type JournalPage<S extends JournalStream> = {
  entries: JournalEntry<S>[];
  rejected: RejectedEntry[];
  /** The last `seq` of the page, rejected entries included: what to acknowledge. Null where the stream is empty. */
  through: number | null;
  more: boolean;
};

export const journalAck = z.object({ through: z.int().min(0) });
