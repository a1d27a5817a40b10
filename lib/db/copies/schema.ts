import { bigint, boolean, customType, integer, pgTable, primaryKey, text, uuid } from "drizzle-orm/pg-core";
import { moment } from "../columns.ts";

const bytea = customType<{ data: Buffer }>({ dataType: () => "bytea" });

/** The copy of a shard's state: its lease, and the extent of its snapshot and tail (services/whatsapp/copy). */
export const shardCopies = pgTable("shard_copies", {
  shard: integer().primaryKey(),
  /** The fencing token of the copy: grows at each claim. */
  epoch: bigint({ mode: "number" }).notNull(),
  /** The volume whose process may write. */
  volume: uuid().notNull(),
  state: text().$type<"live" | "restoring">().notNull(),
  /** True if the snapshot and the tail after it make up a whole state. */
  complete: boolean().notNull(),
  /** True if the copy never lags behind what the shard has sent. */
  exact: boolean().notNull(),
  leased_until: moment().notNull(),
  appended_at: moment().notNull(),
  tail_seq: bigint({ mode: "number" }).notNull(),
  tail_bytes: bigint({ mode: "number" }).notNull(),
  snapshot_key: text(),
  snapshot_seq: bigint({ mode: "number" }),
  snapshot_bytes: bigint({ mode: "number" }),
  snapshot_at: moment(),
  /** An object that is being written, or that a killed process has left. */
  pending_key: text(),
});

/** The changes of a shard since its snapshot, sealed. */
export const shardTail = pgTable(
  "shard_tail",
  {
    shard: integer().notNull(),
    seq: bigint({ mode: "number" }).notNull(),
    key_id: text().notNull(),
    box: bytea().notNull(),
  },
  (table) => [primaryKey({ columns: [table.shard, table.seq] })],
);
