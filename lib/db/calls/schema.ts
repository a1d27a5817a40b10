import { boolean, integer, pgTable, text, uuid } from "drizzle-orm/pg-core";
import { businesses } from "../businesses/schema.ts";
import { createdAt, moment } from "../columns.ts";

const business = () =>
  uuid()
    .notNull()
    .references(() => businesses.id, { onDelete: "cascade" });

/** A telephone number for inbound and outbound calls of one business. */
export const phoneNumbers = pgTable("phone_numbers", {
  /** E.164, with the plus sign. */
  number: text().primaryKey(),
  business_id: business(),
  created_at: createdAt(),
});
export type PhoneNumber = typeof phoneNumbers.$inferSelect;

/** Call settings of a business. No row: no limits of its own, no recording. */
export const callSettings = pgTable("call_settings", {
  business_id: uuid()
    .primaryKey()
    .references(() => businesses.id, { onDelete: "cascade" }),
  /** Calls in progress at once; null: only the limit over all businesses. */
  max_concurrent: integer(),
  /** Rules about destinations (lib/calls/destinations.ts); null: the platform's. */
  allowed_destinations: text().array(),
  /** Calls and transfers placed in 24 hours; null: the platform's limit. */
  max_per_day: integer(),
  record: boolean().notNull().default(false),
  /** Said to the caller before the recording begins. */
  consent_line: text(),
  updated_at: createdAt(),
});
export type CallSettings = typeof callSettings.$inferSelect;

export const callDirections = ["inbound", "outbound"] as const;
export type CallDirection = (typeof callDirections)[number];

/** How a call ended; "lost": the carrier never said. */
export const callOutcomes = ["completed", "busy", "no_answer", "failed", "canceled", "lost"] as const;
export type CallOutcome = (typeof callOutcomes)[number];

/** A call that has ended. */
export const calls = pgTable("calls", {
  call_sid: text().primaryKey(),
  business_id: business(),
  direction: text().$type<CallDirection>().notNull(),
  from_number: text().notNull(),
  to_number: text().notNull(),
  status: text().$type<CallOutcome>().notNull(),
  /** Media streams it had; more than one: it outlived a replica that carried it. */
  streams: integer().notNull().default(0),
  transferred_to: text(),
  started_at: moment().notNull(),
  answered_at: moment(),
  ended_at: moment().notNull(),
  duration_s: integer().notNull(),
  created_at: createdAt(),
});
export type Call = typeof calls.$inferSelect;

export const recordingStatuses = ["pending", "stored", "absent", "failed"] as const;
export type RecordingStatus = (typeof recordingStatuses)[number];

/** A recording that the carrier made; pending until it lies in our own storage. */
export const callRecordings = pgTable("call_recordings", {
  recording_sid: text().primaryKey(),
  business_id: business(),
  call_sid: text().notNull(),
  status: text().$type<RecordingStatus>().notNull(),
  /** Where the carrier keeps it; fetched with the account's credentials. */
  url: text(),
  duration_s: integer(),
  channels: integer(),
  storage_key: text(),
  attempts: integer().notNull().default(0),
  next_attempt_at: moment(),
  error: text(),
  created_at: createdAt(),
  stored_at: moment(),
});
export type CallRecording = typeof callRecordings.$inferSelect;
