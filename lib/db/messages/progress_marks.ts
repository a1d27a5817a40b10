import { pgTable, text } from "drizzle-orm/pg-core";
import { moment } from "../columns.ts";

/** How far a job that looks at everything once, in order of time, has come. */
export const progressMarks = pgTable("progress_marks", {
  name: text().primaryKey(),
  at: moment().notNull(),
});
