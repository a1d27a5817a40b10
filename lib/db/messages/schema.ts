import { integer, jsonb, pgTable, text, uuid } from "drizzle-orm/pg-core";
import type { Edition, MessageContent, Reaction } from "../../messages/index.ts";
import { businesses } from "../businesses/schema.ts";
import { createdAt, moment } from "../columns.ts";

export const messageDirections = ["outbound", "inbound"] as const;
export type MessageDirection = (typeof messageDirections)[number];

/** In the order of their rank: a message only ever moves to the right. Only a later receipt proves a failure wrong. */
export const messageStatuses = ["queued", "sent", "failed", "delivered", "read", "played"] as const;
export type MessageStatus = (typeof messageStatuses)[number];

/**
 * Why a queued message waits. pacing: for the account's sending pace. upload: for the upload of its file. retry: it
 * backs off after a failed attempt. broadcast: its broadcast is paused, cancelled or in quiet hours; such a message has
 * no next attempt, and blocks no other message of its chat.
 */
export const waitReasons = ["pacing", "upload", "retry", "broadcast"] as const;
export type WaitReason = (typeof waitReasons)[number];

/**
 * Every message of every business; outbound rows that are still queued are the outbox.
 * Partitioned by range of `id`: a UUIDv7 begins with its time, so a range of ids is a month.
 */
export const messages = pgTable("messages", {
  id: uuid().primaryKey(),
  business_id: uuid()
    .notNull()
    .references(() => businesses.id, { onDelete: "cascade" }),
  direction: text().$type<MessageDirection>().notNull(),
  /** JID of the conversation. */
  chat: text().notNull(),
  /** JID of the author; null for messages that we sent. */
  sender: text(),
  push_name: text(),
  type: text().notNull(),
  /** The text or caption. */
  text: text(),
  /** The whole content (lib/messages); null if type and text are all of it. */
  content: jsonb().$type<MessageContent>(),
  wa_message_id: text().notNull(),
  status: text().$type<MessageStatus>().notNull(),
  error_code: text(),
  error_message: text(),
  /** Attempts to hand it to a shard. */
  attempts: integer().notNull().default(0),
  /** When it may be handed to a shard again. */
  next_attempt_at: moment(),
  /** Null: the message is due, or no longer queued. */
  wait_reason: text().$type<WaitReason>(),
  /** By Postgres' clock, never by a service's: messages go out in this order. */
  queued_at: createdAt(),
  sent_at: moment(),
  delivered_at: moment(),
  read_at: moment(),
  played_at: moment(),
  failed_at: moment(),
  /** Of a group message: the members that it was sent to, and those that received and read it. */
  group_recipients: integer(),
  group_delivered: integer(),
  group_read: integer(),
  /** When its missing receipts were noticed. */
  ticks_overdue_at: moment(),
  /** Its broadcast; such messages yield to all others. */
  broadcast_id: uuid(),
  /** After this it fails instead of being sent. */
  expires_at: moment(),
  /** The effect of later messages (lib/messages/state.ts); text and content are the latest. */
  edited_at: moment(),
  deleted_at: moment(),
  edits: jsonb().$type<Edition[]>(),
  reactions: jsonb().$type<Reaction[]>(),
  /** W3C traceparent of the request that enqueued it; null unless that was sampled. */
  trace: text(),
});
export type Message = typeof messages.$inferSelect;
