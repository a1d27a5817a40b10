import { sql } from "drizzle-orm";
import { timestamp } from "drizzle-orm/pg-core";

/** A moment, to the millisecond: what a JavaScript Date holds, so a value read back equals the value written. */
export const moment = () => timestamp({ precision: 3, withTimezone: true, mode: "date" });

export const createdAt = () =>
  moment()
    .notNull()
    .default(sql`now()`);
