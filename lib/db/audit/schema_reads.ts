import { bigint, pgTable, text, uuid } from "drizzle-orm/pg-core";
import { moment } from "../columns.ts";

/** Counts how often an admin key, or a console session of that key, read a business's data in one hour. */
export const auditReads = pgTable("audit_reads", {
  id: uuid().primaryKey(),
  key_id: uuid().notNull(),
  key_prefix: text().notNull(),
  business_id: uuid().notNull(),
  hour: moment().notNull(),
  reads: bigint({ mode: "number" }).notNull(),
  last_at: moment().notNull(),
});
export type AuditRead = typeof auditReads.$inferSelect;
