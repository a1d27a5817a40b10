import { integer, jsonb, pgTable, text, uuid } from "drizzle-orm/pg-core";
import { createdAt, moment } from "../columns.ts";

/** Limits of a WhatsApp account; lib/contracts/shard/pacing.ts says what they mean. */
type Pacing = {
  enabled: boolean;
  messages_per_minute: number;
  jitter: number;
  first_contact_gap_s: number;
  first_contacts_per_day: number;
  warm_up_days: number;
};

/** A tenant. Every other row belongs to one. */
export const businesses = pgTable("businesses", {
  id: uuid().primaryKey(),
  name: text().notNull(),
  /** IANA name, such as "America/Sao_Paulo". */
  time_zone: text().notNull(),
  /** The shard that holds the login, from 1. Null until the first connect. */
  whatsapp_shard: integer(),
  /** Grows by one with each move to another shard. */
  whatsapp_fence: integer().notNull().default(0),
  /** The move that is under way: nothing is handed to a shard meanwhile. */
  whatsapp_move: uuid(),
  /** How fast it may send, as far as it chose; null: as the platform has it. */
  pacing: jsonb().$type<Partial<Pacing>>(),
  created_at: createdAt(),
  updated_at: createdAt(),
  /** Deleted for every caller; the rows wait for retention. */
  deleted_at: moment(),
});
export type Business = typeof businesses.$inferSelect;
