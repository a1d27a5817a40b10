import { sql } from "../client/literal.ts";

/**
 * A next attempt that is due as soon as it is written: now, truncated to the column's milliseconds. Rounded up, it
 * would lie in the future for an immediate wake-up, which would find nothing to do.
 */
export const dueNow = sql`date_trunc('milliseconds', now())`;
