import { sql } from "../client/literal.ts";
import type { Statement } from "../client/literal.ts";
import type { BusinessScope } from "../scope.ts";
import { dueNow } from "../outbox/due_now.ts";

/**
 * The next attempt of a message that is held: never. It stays in the outbox, and holds up nothing else in its chat,
 * for whoever held it wanted just this message not to be sent.
 */
export const heldUntil = new Date("9999-01-01T00:00:00Z");

/** Holds what a broadcast has in the outbox; returns how many messages. */
export function holdBroadcast(scope: BusinessScope, id: string): Promise<number> {
  return reschedule(scope, id, sql`${heldUntil}::timestamptz`, sql`next_attempt_at < ${heldUntil}`);
}

/** Lets go what was held, if the broadcast is running; returns how many messages. */
export function letGoBroadcast(scope: BusinessScope, id: string): Promise<number> {
  // The lock: a pause waits for this, or this for the pause.
  const running = sql`exists (select from broadcasts b where b.id = ${id} and b.status = 'running' for share)`;
  return reschedule(scope, id, dueNow, sql`next_attempt_at = ${heldUntil} and ${running}`);
}

async function reschedule(scope: BusinessScope, id: string, at: Statement, where: Statement): Promise<number> {
  const rows = await scope.ask<{ id: string }[]>(sql`
    update messages m set next_attempt_at = ${at}
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
