import { pgTable, primaryKey, text, uuid } from "drizzle-orm/pg-core";
import { moment } from "../columns.ts";

/** Receipts of group members, for weeks after a message was sent; the counts are on the message. */
export const groupReceipts = pgTable(
  "group_receipts",
  {
    message_id: uuid().notNull(),
    /** JID of the member, in the form that the group uses. */
    member: text().notNull(),
    delivered_at: moment().notNull(),
    read_at: moment(),
  },
  (table) => [primaryKey({ columns: [table.message_id, table.member] })],
);
