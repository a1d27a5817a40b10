import { interval, pgTable, text, uuid } from "drizzle-orm/pg-core";
import { businesses } from "../businesses/schema.ts";
import { createdAt, moment } from "../columns.ts";

/** A bearer key. The key itself is not stored: only what finds it and what proves it. */
export const apiKeys = pgTable("api_keys", {
  id: uuid().primaryKey(),
  /** Null: an admin key. */
  business_id: uuid().references(() => businesses.id, { onDelete: "cascade" }),
  /** The eight characters after "psk_"; not secret. */
  prefix: text().notNull().unique(),
  /** SHA-256 of the whole key, hexadecimal. */
  hash: text().notNull(),
  scopes: text().array().notNull(),
  /** What its owner calls it. */
  name: text(),
  created_at: createdAt(),
  revoked_at: moment(),
  /** It works until then; null: until it is revoked. */
  expires_at: moment(),
  /** How long its family works from `created_at`; null: until revoked. A rotation may end the key itself sooner. */
  lifetime: interval(),
  /** To the minute or so. */
  last_used_at: moment(),
});
export type ApiKey = typeof apiKeys.$inferSelect;
