import { sql } from "../client/literal.ts";

/**
 * A next attempt that is due as soon as it is written: now, cut to the millisecond that the column keeps. Rounded, it
 * may be the next one, and a wake-up that comes at once finds nothing to do.
 */
export const dueNow = sql`date_trunc('milliseconds', now())`;
