import { boolean, integer, pgTable, text, uuid } from "drizzle-orm/pg-core";
import { businesses } from "../businesses/schema.ts";
import { createdAt, moment } from "../columns.ts";

/** The last report of a shard about a session: a mirror that may lag, never the truth. */
export const whatsappSessions = pgTable("whatsapp_sessions", {
  business_id: uuid()
    .primaryKey()
    .references(() => businesses.id, { onDelete: "cascade" }),
  shard: integer().notNull(),
  status: text().notNull(),
  paired: boolean().notNull(),
  phone: text(),
  lid: text(),
  name: text(),
  reason: text(),
  /** When the status began. */
  since: moment().notNull(),
  /** The time of the report: an older one never replaces a newer one. */
  observed_at: moment().notNull(),
  updated_at: createdAt(),
});
export type WhatsappSession = typeof whatsappSessions.$inferSelect;
