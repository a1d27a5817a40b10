import { sql } from "../client/literal.ts";

/** Of a row of messages: it waits for the account's sending pace. */
export const isPaced = sql`(status = 'queued' and wait_reason = 'pacing' and next_attempt_at > now())`;
