import { integer, jsonb, pgTable, primaryKey, text, uuid } from "drizzle-orm/pg-core";
import { createdAt, moment } from "../columns.ts";

/** The answer that was given to a request with an Idempotency-Key; the same request gets it again. */
export const idempotencyKeys = pgTable(
  "idempotency_keys",
  {
    /** The nil UUID: the platform's own. */
    business_id: uuid().notNull(),
    key: text().notNull(),
    /** SHA-256 of method, path and body. */
    fingerprint: text().notNull(),
    status: integer().notNull(),
    response: jsonb().$type<Record<string, unknown>>().notNull(),
    created_at: createdAt(),
    expires_at: moment().notNull(),
  },
  (table) => [primaryKey({ columns: [table.business_id, table.key] })],
);
export type IdempotencyKey = typeof idempotencyKeys.$inferSelect;
