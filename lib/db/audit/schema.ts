import { sql } from "drizzle-orm";
import { integer, pgTable, text, uuid } from "drizzle-orm/pg-core";
import { moment } from "../columns.ts";

/** Something that an admin key changed, or tried to. */
export const auditEvents = pgTable("audit_events", {
  id: uuid().primaryKey(),
  at: moment()
    .notNull()
    .default(sql`now()`),
  key_id: uuid().notNull(),
  key_prefix: text().notNull(),
  method: text().notNull(),
  path: text().notNull(),
  business_id: uuid(),
  request_id: text().notNull(),
  /** Of the client, as the edge names it; null: not recorded. */
  address: text(),
  /** Status of the answer; null: the process ended before it. */
  status: integer(),
});
export type AuditEvent = typeof auditEvents.$inferSelect;
