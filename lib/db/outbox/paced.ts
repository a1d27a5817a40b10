import { sql } from "../client/literal.ts";
import { heldUntil } from "../broadcasts/hold.ts";

/** Of a row of messages: it waits for its turn by the account's pace, and nobody holds it beside that. */
export const isPaced = sql`(status = 'queued' and error_code = 'paced' and next_attempt_at > now() and next_attempt_at < ${heldUntil})`;
