import { boolean, integer, pgTable, primaryKey, text, uuid } from "drizzle-orm/pg-core";
import { businesses } from "../businesses/schema.ts";
import { createdAt, moment } from "../columns.ts";

/** Another name of a chat's account: its LID, or another spelling of its number. */
export const chatAliases = pgTable(
  "chat_aliases",
  {
    business_id: uuid()
      .notNull()
      .references(() => businesses.id, { onDelete: "cascade" }),
    alias: text().notNull(),
    /** JID under which the account's rows are written; never an alias itself. */
    chat: text().notNull(),
    learned_at: createdAt(),
    /** When WhatsApp named the account so; null: not recorded, `learned_at` counts. */
    known_at: moment(),
    /** Messages that were written under the alias, and are now under the chat. */
    rekeyed: integer().notNull().default(0),
    /** When the messages known then were under the chat. */
    merged_at: moment(),
    /** No transaction that started before the alias was learned can still write under it. */
    settled: boolean().notNull().default(false),
  },
  (table) => [primaryKey({ columns: [table.business_id, table.alias] })],
);
export type ChatAlias = typeof chatAliases.$inferSelect;
