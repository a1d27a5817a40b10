import { sql } from "../client/literal.ts";
import type { Statement } from "../client/literal.ts";
import type { BusinessScope } from "../scope.ts";
import { dueNow } from "../outbox/due_now.ts";
import { isRealAttempt } from "../outbox/paced.ts";

/**
 * Holds the queued messages of a broadcast; returns how many. A held message stays in the outbox and blocks no other
 * message of its chat.
 */
export function holdBroadcast(scope: BusinessScope, id: string): Promise<number> {
  const held = sql`next_attempt_at = null, wait_reason = 'broadcast'`;
  return update(scope, id, held, sql`wait_reason is distinct from 'broadcast'`);
}

/** Makes the held messages of a broadcast due, if the broadcast is running; returns how many. */
export function releaseBroadcast(scope: BusinessScope, id: string): Promise<number> {
  // The row lock serialises a pause and this statement.
  const running = sql`exists (select from broadcasts b where b.id = ${id} and b.status = 'running' for share)`;
  const due = sql`next_attempt_at = ${dueNow}, wait_reason = null`;
  return update(
    scope,
    id,
    due,
    sql`(wait_reason = 'broadcast' or not ${isRealAttempt(sql`next_attempt_at`)}) and ${running}`,
  );
}

async function update(scope: BusinessScope, id: string, changes: Statement, where: Statement): Promise<number> {
  const rows = await scope.ask<{ id: string }[]>(sql`
    update messages m set ${changes}
    from (
      -- In order of id, as every bulk statement on this table locks, so that two of them never deadlock.
      select id from messages
      where business_id = ${scope.businessId} and broadcast_id = ${id} and status = 'queued' and ${where}
      order by id for update
    ) locked
    where m.id = locked.id
    returning m.id`);
  return rows.length;
}
