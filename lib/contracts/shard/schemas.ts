import { z } from "zod";
import { deviceName } from "./device_name.ts";
import { pacingSettings, pacingStop } from "./pacing.ts";
import { passkeySteps, passkeyView } from "./passkey.ts";
import { messageContent, outboundContent } from "../../messages/index.ts";

/*
 * The internal API of a WhatsApp shard, shared by server and client. Terms:
 *   session   one business's WhatsApp login on that shard
 *   journal   inbound data, kept on the shard's volume until a worker acknowledges it
 * Every request names its shard in the header `x-shard`, because an address may have passed to another shard.
 */

/** Messages per batch. */
export const maxBatch = 50;

/** Journal entries per page. */
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
  "passkey",
]);
export type SessionStatus = z.infer<typeof sessionStatus>;

const time = z.iso.datetime({ offset: true });

export const connectRequest = z
  .object({
    method: z.enum(["qr", "code"]),
    /** Digits of the number in international form, without "+". Required for pairing by code only. */
    phone: z
      .string()
      .regex(/^[1-9]\d{6,14}$/, "must be 7 to 15 digits in international form, without +")
      .optional(),
    /** Default: the shard's. */
    device_name: deviceName.optional(),
    /** As in `sessionSettings`. Default: unchanged. */
    statuses: z.boolean().optional(),
  })
  .refine((request) => request.method !== "code" || request.phone !== undefined, {
    path: ["phone"],
    message: 'is required if the method is "code"',
  });
export type ConnectRequest = z.infer<typeof connectRequest>;

/** Settings that a session keeps until it logs out. */
export const sessionSettings = z.object({
  /** True if the statuses of contacts are journaled. */
  statuses: z.boolean(),
});
export type SessionSettings = z.infer<typeof sessionSettings>;

/** A change of a linked session that does not log out. */
export const sessionAction = z.enum(["stop", "start", "restart"]);
export type SessionAction = z.infer<typeof sessionAction>;

/** The reason of a session that was stopped on request. */
export const stoppedReason = "stopped on request";

const sessionSummary = z.object({
  business_id: z.uuid(),
  shard: z.int().min(1),
  status: sessionStatus,
  phone: z.string().nullable(),
  lid: z.string().nullish(),
  name: z.string().nullish(),
  reason: z.string().nullish(),
  /** The proxy through which it reaches WhatsApp, without credentials. */
  egress: z
    .object({
      proxy: z.string(),
      /** Null before the first check. */
      healthy: z.boolean().nullable(),
      checked_at: time.nullable(),
      error: z.string().nullable(),
    })
    .nullish(),
  /** True if it was stopped on request; it stays closed until it is started. */
  stopped: z.boolean().nullish(),
  /** End of the ban, while the status is "banned". */
  banned_until: time.nullish(),
  since: time,
  /** True if the login has credentials, so that it can open without a new QR code. */
  paired: z.boolean(),
  queue_depth: z.int().min(0),
  last_inbound_at: time.nullable(),
});
export type SessionSummary = z.infer<typeof sessionSummary>;

export const sessionView = sessionSummary.extend({
  /** The text of the QR code, while the status is "qr". */
  qr: z.string().nullish(),
  qr_expires_at: time.nullish(),
  /** The code to enter on the phone, while the status is "code". */
  code: z.string().nullish(),
  /** While the status is "passkey". */
  passkey: passkeyView.nullish(),
});
export type SessionView = z.infer<typeof sessionView>;

/** The state of a shard and its sessions. */
export const sessionList = z.object({
  data: z.array(sessionSummary),
  /** Messages of the last minute, in both directions. */
  messages_per_minute: z.number().min(0).nullish(),
  version: z.string().nullish(),
});
export type SessionList = z.infer<typeof sessionList>;

export const batchMessage = z
  .object({
    /** The row id. */
    id: z.uuid(),
    /** Derived from the row id, so it is the same at every attempt. */
    wa_message_id: z.string().min(1),
    /** Digits in international form without "+", or a JID. */
    to: z.string().min(1),
    /** Part of a broadcast, with no urgent message behind it in its chat. Pacing lets other messages go first. */
    bulk: z.boolean().optional(),
    /** Its trace context (W3C traceparent), if it is sampled. */
    trace: z.string().max(64).optional(),
  })
  .and(outboundContent);
export type BatchMessage = z.infer<typeof batchMessage>;

export const batchRequest = z.object({
  messages: z.array(batchMessage).min(1).max(maxBatch),
  /** The business's pacing settings. Default: the shard's. */
  pacing: pacingSettings.nullish(),
  /** The caller addresses messages again if a result names another `account`. Default: the shard does so silently. */
  follows_accounts: z.boolean().optional(),
});

const sendError = z.object({ code: z.string(), message: z.string() });

export const sendResult = z.object({
  id: z.uuid(),
  wa_message_id: z.string(),
  /** "retry": the outcome is open; send the same message again later. "paced": pacing does not allow it yet. */
  status: z.enum(["sent", "failed", "retry", "paced"]),
  sent_at: time.nullish(),
  /** Of a sent group message: the members that it was sent to. */
  recipients: z.int().min(0).nullish(),
  /**
   * With "paced" and "retry": milliseconds until the message may be sent again. A duration, so that no clock matters.
   * `holds`, with "paced": the messages that have to wait as well.
   */
  wait_ms: z.int().min(0).nullish(),
  holds: pacingStop.shape.holds.nullish(),
  /** With "retry": the JID of the recipient's account. The message must be addressed to it. */
  account: z.string().min(1).nullish(),
  error: sendError.nullish(),
});
export type SendResult = z.infer<typeof sendResult>;

export const batchResponse = z.object({ results: z.array(sendResult) });

/** Another name of an account, and the JID of its chat: its number as WhatsApp spells it, or its LID without one. */
const accountName = z.object({ alias: z.string().min(1).max(64), chat: z.string().min(1).max(64) });
export type AccountName = z.infer<typeof accountName>;

export const inboundData = z.looseObject({
  wa_message_id: z.string().min(1),
  /** JID of the conversation. */
  chat: z.string().min(1),
  /** JID of the author: the chat itself, or a member of the group. */
  sender: z.string().min(1),
  /** True if the business wrote it on its own phone. */
  from_me: z.boolean(),
  push_name: z.string().nullish(),
  /** Other names of the chat and of the author, as WhatsApp's server gave them. */
  names: z.array(accountName).max(8).nullish().catch(null),
  /** WhatsApp's time, Unix ms. */
  timestamp: z.int().min(0),
  type: z.string().min(1),
  /** The text of the message. */
  text: z.string().nullish(),
  /** The whole content; null for a plain text, and if it breaks its schema, so that the message still arrives. */
  content: messageContent.nullish().catch(null),
  /** The trace context of its arrival (W3C traceparent), if it is sampled. */
  trace: z.string().max(64).nullish().catch(null),
});
export type InboundData = z.infer<typeof inboundData>;

const receiptData = z.object({
  wa_message_id: z.string().min(1),
  chat: z.string().min(1),
  status: z.enum(["sent", "delivered", "read", "played", "failed"]),
  /** Unix ms. */
  at: z.number().min(0),
  error: sendError.nullish(),
  /** In a group: the member whose receipt it is, and the members that the message was sent to, if known. */
  member: z.string().min(1).nullish(),
  recipients: z.int().min(0).nullish(),
});
export type ReceiptData = z.infer<typeof receiptData>;

const sessionStatusData = z.object({
  event: z.literal("session.status"),
  status: sessionStatus,
  phone: z.string().nullish(),
  lid: z.string().nullish(),
  name: z.string().nullish(),
  paired: z.boolean(),
  reason: z.string().nullish(),
  since: time,
});
export type SessionStatusData = z.infer<typeof sessionStatusData>;

/** A step of a link that requires a passkey. Has neither the options nor the code, which are secrets. */
const passkeyStepData = z.object({
  event: z.literal("session.passkey"),
  step: z.enum(passkeySteps),
  expires_at: time,
  reason: z.string().nullish(),
});
export type PasskeyStepData = z.infer<typeof passkeyStepData>;

/** A contact posted a status, or withdrew one. Its file is not fetched. */
const statusData = z.object({
  event: z.literal("status.received"),
  /** WhatsApp's id, unique among the statuses of the sender. */
  status_id: z.string().min(1),
  /** JID of the sender's chat. */
  sender: z.string().min(1),
  sender_name: z.string().nullable(),
  type: z.enum(["text", "image", "video", "audio", "withdrawn"]),
  /** The text or the caption. */
  text: z.string().nullable(),
  posted_at: time,
});
export type StatusData = z.infer<typeof statusData>;

const sessionEventData = z.discriminatedUnion("event", [sessionStatusData, passkeyStepData, statusData]);
export type SessionEventData = z.infer<typeof sessionEventData>;

/** Names of accounts that WhatsApp revealed. */
const identityData = z.object({ names: z.array(accountName).min(1).max(500) });

/** The entry schemas of the journal's streams. */
export const journalStreams = {
  inbound: inboundData,
  receipts: receiptData,
  events: sessionEventData,
  identities: identityData,
} as const;
export type JournalStream = keyof typeof journalStreams;
export type JournalData<S extends JournalStream> = z.infer<(typeof journalStreams)[S]>;

const journalEntry = <D extends z.ZodType>(data: D) =>
  z.object({
    /** Sequence number within a stream of a shard. */
    seq: z.int().min(0),
    business_id: z.uuid(),
    /** When the shard wrote the entry. */
    at: z.union([time, z.number().min(0)]).transform((value) => new Date(value)),
    data,
  });

/** An entry of each stream. Entries are parsed one by one, so that an invalid entry does not block the others. */
export const journalEntries = {
  inbound: journalEntry(inboundData),
  receipts: journalEntry(receiptData),
  events: journalEntry(sessionEventData),
  identities: journalEntry(identityData),
} as const;
export type JournalEntry<S extends JournalStream> = {
  seq: number;
  business_id: string;
  at: Date;
  data: JournalData<S>;
};

/** A page of a stream on the wire: entries in order of `seq`, and whether more follow. */
export const journalPage = z.object({ entries: z.array(z.looseObject({ seq: z.int().min(0) })), more: z.boolean() });

/** An entry that breaks its schema. */
export type RejectedEntry = {
  seq: number;
  /** Null if it cannot be parsed. */
  business_id: string | null;
  /** The invalid fields, without their contents. */
  reason: string;
  /** The entry as received. */
  entry: unknown;
};

export type JournalPage<S extends JournalStream> = {
  entries: JournalEntry<S>[];
  rejected: RejectedEntry[];
  /** The `seq` to acknowledge: the last of the page, rejected entries included. Null if the stream is empty. */
  through: number | null;
  more: boolean;
};

export const journalAck = z.object({ through: z.int().min(0) });
