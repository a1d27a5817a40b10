import { pgTable, text, uuid } from "drizzle-orm/pg-core";
import { apiKeys } from "../keys/schema.ts";
import { createdAt, moment } from "../columns.ts";

/** A console session: a sign-in with an admin key that continues with a cookie. */
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
