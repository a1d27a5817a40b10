import { pgTable, text, uuid } from "drizzle-orm/pg-core";
import { apiKeys } from "../keys/schema.ts";
import { createdAt, moment } from "../columns.ts";

/** Somebody who signed in to the console with an admin key, and goes on with a cookie. */
export const consoleSessions = pgTable("console_sessions", {
  /** SHA-256 of the cookie's token, hexadecimal. */
  hash: text().primaryKey(),
  key_id: uuid()
    .notNull()
    .references(() => apiKeys.id, { onDelete: "cascade" }),
  created_at: createdAt(),
  expires_at: moment().notNull(),
});
export type ConsoleSession = typeof consoleSessions.$inferSelect;
