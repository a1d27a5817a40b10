import { integer, pgTable, text, uuid } from "drizzle-orm/pg-core";
import { businesses } from "../businesses/schema.ts";
import { createdAt, moment } from "../columns.ts";

/*
 * The steps of a move; each is written down when it is known to be done.
 *
 *   requested ─▶ fenced ─▶ stopped ─▶ taken ─▶ tombstoned ─▶ switched ─▶ opened ─▶ done
 *       │          │          │
 *       │          └──────────┴──▶ rolling_back ─▶ rolled_back
 *       └──────────────────────────────────────────────▲
 *
 * Once the target has the login on its disk ("taken") there is only forward: the source may have its tombstone.
 */
export const moveSteps = [
  "requested",
  "fenced",
  "stopped",
  "taken",
  "tombstoned",
  "switched",
  "opened",
  "done",
  "rolling_back",
  "rolled_back",
] as const;
export type MoveStep = (typeof moveSteps)[number];

/** A move of a business from one shard to another, unfinished or finished. */
export const moves = pgTable("moves", {
  id: uuid().primaryKey(),
  business_id: uuid()
    .notNull()
    .references(() => businesses.id, { onDelete: "cascade" }),
  from_shard: integer().notNull(),
  to_shard: integer().notNull(),
  step: text().$type<MoveStep>().notNull().default("requested"),
  /** The fencing token of this move; null until it is fenced. */
  fence: integer(),
  /** SHA-256 of the sealed session data on the target's disk. */
  checksum: text(),
  /** Why it is blocked, or was rolled back. */
  error: text(),
  created_at: createdAt(),
  updated_at: createdAt(),
  /** When sending was blocked. */
  fenced_at: moment(),
  finished_at: moment(),
});
export type Move = typeof moves.$inferSelect;
