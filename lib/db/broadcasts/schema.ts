import { bigint, integer, jsonb, pgTable, primaryKey, text, uuid } from "drizzle-orm/pg-core";
import type { BroadcastStatus } from "../../broadcasts/status.ts";
import { businesses } from "../businesses/schema.ts";
import { createdAt, moment } from "../columns.ts";

/** One text to many people. */
export const broadcasts = pgTable("broadcasts", {
  id: uuid().primaryKey(),
  business_id: uuid()
    .notNull()
    .references(() => businesses.id, { onDelete: "cascade" }),
  name: text().notNull(),
  /** {{field}} stands for a recipient's own. */
  text: text().notNull(),
  status: text().$type<BroadcastStatus>().notNull(),
  /** Of the quiet hours. */
  time_zone: text().notNull(),
  /** Not before this; null: as soon as it is started. */
  scheduled_at: moment(),
  /** "HH:MM"; both or neither. */
  quiet_from: text(),
  quiet_to: text(),
  /** Messages a minute, at most. */
  per_minute: integer().notNull(),
  /** Nothing is released before this. */
  next_release_at: moment(),
  created_at: createdAt(),
  updated_at: createdAt(),
  started_at: moment(),
  ended_at: moment(),
});
export type Broadcast = typeof broadcasts.$inferSelect;

export const recipientStatuses = ["pending", "released", "opted_out", "duplicate"] as const;
export type RecipientStatus = (typeof recipientStatuses)[number];

/** Somebody whom a broadcast is for; once a broadcast. */
export const broadcastRecipients = pgTable(
  "broadcast_recipients",
  {
    broadcast_id: uuid()
      .notNull()
      .references(() => broadcasts.id, { onDelete: "cascade" }),
    business_id: uuid()
      .notNull()
      .references(() => businesses.id, { onDelete: "cascade" }),
    /** The order in which they were given, and are written to. */
    place: bigint({ mode: "number" }).generatedAlwaysAsIdentity(),
    chat: text().notNull(),
    fields: jsonb().$type<Record<string, string>>().notNull(),
    /** Length of the rendered text, 1 to 65,536; null for those added before it was recorded. */
    text_length: integer(),
    /**
     * released: its message is in the outbox, or went through it. duplicate: the same account is a recipient under
     * another name.
     */
    status: text().$type<RecipientStatus>().notNull().default("pending"),
    message_id: uuid(),
  },
  (table) => [primaryKey({ columns: [table.broadcast_id, table.chat] })],
);
export type BroadcastRecipient = typeof broadcastRecipients.$inferSelect;

/** Somebody who wants no broadcasts of a business. */
export const optOuts = pgTable(
  "opt_outs",
  {
    business_id: uuid()
      .notNull()
      .references(() => businesses.id, { onDelete: "cascade" }),
    chat: text().notNull(),
    created_at: createdAt(),
    /** When WhatsApp was asked for the account of the number. Null: it may be another spelling of a recipient's. */
    checked_at: moment(),
  },
  (table) => [primaryKey({ columns: [table.business_id, table.chat] })],
);
export type OptOut = typeof optOuts.$inferSelect;
