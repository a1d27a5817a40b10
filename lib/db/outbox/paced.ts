import { sql } from "../client/literal.ts";
import type { Statement } from "../client/literal.ts";

/**
 * True if `column`, a row's next_attempt_at, is a real attempt. A process of the version before wait_reason (migration
 * 0022) holds messages of a paused broadcast by an attempt in the year 9999, also while versions run side by side in a
 * deploy.
 */
export const isRealAttempt = (column: Statement) => sql`(${column} < now() + interval '100 years')`;

/** Of a row of messages: it waits for the account's sending pace. */
export const isPaced = sql`(status = 'queued' and wait_reason = 'pacing' and next_attempt_at > now()
  and ${isRealAttempt(sql`next_attempt_at`)})`;
