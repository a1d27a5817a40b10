import { interval, pgTable, text, uuid } from "drizzle-orm/pg-core";
import { businesses } from "../businesses/schema.ts";
import { createdAt, moment } from "../columns.ts";

/** A bearer key. Only its prefix and its hash are stored. */
export const apiKeys = pgTable("api_keys", {
  id: uuid().primaryKey(),
  /** Null: an admin key. */
  business_id: uuid().references(() => businesses.id, { onDelete: "cascade" }),
  /** The eight characters after "psk_"; not secret. */
  prefix: text().notNull().unique(),
  /** SHA-256 of the whole key, hexadecimal. */
  hash: text().notNull(),
  scopes: text().array().notNull(),
  /** A name that the owner chose. */
  name: text(),
  created_at: createdAt(),
  revoked_at: moment(),
  /** Its expiry; null: valid until revoked. */
  expires_at: moment(),
  /** Validity of its family from `created_at`; null: until revoked. A rotation may end the key itself sooner. */
  lifetime: interval(),
  /** Accurate to about a minute. */
  last_used_at: moment(),
});
export type ApiKey = typeof apiKeys.$inferSelect;
