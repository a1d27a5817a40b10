import { bigint, integer, pgTable, text, uuid } from "drizzle-orm/pg-core";
import { createdAt, moment } from "../columns.ts";

/** Journal entries of shards that no worker could parse or write. */
export const journalQuarantine = pgTable("journal_quarantine", {
  id: uuid().primaryKey(),
  shard: integer().notNull(),
  stream: text().notNull(),
  seq: bigint({ mode: "number" }).notNull(),
  /** As the entry names it; null if it names none. */
  business_id: uuid(),
  reason: text().notNull(),
  /** The whole entry, as JSON. */
  entry: text().notNull(),
  created_at: createdAt(),
  /** Null unless an operator requested to write it again. */
  replay_requested_at: moment(),
});
export type QuarantinedEntry = typeof journalQuarantine.$inferSelect;
