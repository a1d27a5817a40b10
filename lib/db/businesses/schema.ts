import { boolean, integer, jsonb, pgTable, text, uuid } from "drizzle-orm/pg-core";
import { createdAt, moment } from "../columns.ts";

/** Sending limits of a WhatsApp account (lib/contracts/shard/pacing.ts). */
type Pacing = {
  enabled: boolean;
  messages_per_minute: number;
  jitter: number;
  first_contact_gap_s: number;
  first_contacts_per_day: number;
  warm_up_days: number;
};

/** Quotas that replace the platform's (lib/quotas). */
export type BusinessQuotas = { media_bytes?: number; queued_messages?: number; queued_bytes?: number };

/** A tenant. Every other row belongs to one. */
export const businesses = pgTable("businesses", {
  id: uuid().primaryKey(),
  name: text().notNull(),
  /** IANA name, such as "America/Sao_Paulo". */
  time_zone: text().notNull(),
  /** The shard that holds the session, from 1. Null until the first connect. */
  whatsapp_shard: integer(),
  /** The fencing token: each move to another shard increments it. */
  whatsapp_fence: integer().notNull().default(0),
  /** The unfinished move, which blocks sending. */
  whatsapp_move: uuid(),
  /** The business's own sending limits; null: the platform's. */
  pacing: jsonb().$type<Partial<Pacing>>(),
  /** The business's own quotas; null: the platform's. */
  quotas: jsonb().$type<BusinessQuotas>(),
  /** True if the statuses of the business's contacts are published as events. */
  receive_statuses: boolean().notNull().default(false),
  /** Name of the business's linked devices; null: the platform's. */
  device_name: text(),
  created_at: createdAt(),
  updated_at: createdAt(),
  /** Deleted for every caller; the rows wait for retention. */
  deleted_at: moment(),
});
export type Business = typeof businesses.$inferSelect;
