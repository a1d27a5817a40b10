import { sql } from "../client/literal.ts";
import type { Broadcast } from "../schema.ts";
import type { BusinessScope, PlatformScope } from "../scope.ts";
import { changeFromJson } from "../messages/status_change.ts";
import type { StatusChange } from "../messages/status_change.ts";

/** A broadcast with the figures that a step of it needs. */
export type BroadcastState = Broadcast & {
  /** Postgres' clock, by which all times of a broadcast are measured. */
  now: Date;
  /** True if its business has a paired session. */
  paired: boolean;
  /** Its messages in the outbox. */
  queued: number;
  /** True if it has recipients without a message. */
  pending: boolean;
};

/** A broadcast with its progress; undefined if it does not exist. A deleted business counts as not paired. */
export async function findBroadcast(scope: PlatformScope, id: string): Promise<BroadcastState | undefined> {
  const [found] = await scope.ask<BroadcastState[]>(sql`
    select b.*, now() as now,
           exists (select from whatsapp_sessions s where s.business_id = b.business_id and s.paired) as paired,
           (select count(*)::integer from messages m where m.broadcast_id = b.id and m.status = 'queued') as queued,
           exists (select from broadcast_recipients r where r.broadcast_id = b.id and r.status = 'pending') as pending
    from broadcasts b where b.id = ${id}`);
  return found;
}

/** Sets a scheduled broadcast running; returns whether it was scheduled. */
export async function beginBroadcast(scope: BusinessScope, id: string): Promise<boolean> {
  const rows = await scope.ask<{ id: string }[]>(sql`
    update broadcasts set status = 'running', started_at = coalesce(started_at, now()), updated_at = now()
    where id = ${id} and business_id = ${scope.businessId} and status = 'scheduled' returning id`);
  return rows.length > 0;
}

/** Completes a running broadcast without pending recipients and queued messages; returns whether it did. */
export async function completeBroadcast(scope: BusinessScope, id: string): Promise<boolean> {
  const rows = await scope.ask<{ id: string }[]>(sql`
    update broadcasts b set status = 'completed', ended_at = now(), updated_at = now()
    where b.id = ${id} and b.business_id = ${scope.businessId} and b.status = 'running'
      and not exists (select from broadcast_recipients r where r.broadcast_id = b.id and r.status = 'pending')
      and not exists (select from messages m where m.broadcast_id = b.id and m.status = 'queued')
    returning b.id`);
  return rows.length > 0;
}

/**
 * Fails the queued messages of a cancelled broadcast. The caller holds both outbox leases of the business, so that none
 * of these messages is in flight to a shard.
 */
export async function failCancelled(scope: BusinessScope, id: string): Promise<StatusChange[]> {
  const [row] = await scope.ask<[{ changed: Parameters<typeof changeFromJson>[0][] }]>(sql`
    with locked as (
      -- In order of id, as every bulk statement on this table locks, so that two of them never deadlock.
      select id from messages
      where business_id = ${scope.businessId} and broadcast_id = ${id} and status = 'queued'
        and exists (select from broadcasts b where b.id = ${id} and b.status = 'cancelled')
      order by id for update
    ), failed as (
      update messages m
      set status = 'failed', failed_at = now(), next_attempt_at = null, wait_reason = null,
          error_code = 'broadcast_cancelled', error_message = 'Its broadcast was cancelled before it was sent.'
      from locked where m.id = locked.id
      returning m.id, m.business_id, m.chat, 'queued' as before, m.status, m.sent_at, m.delivered_at, m.read_at,
                m.played_at, m.failed_at, m.error_code, m.error_message
    )
    select coalesce((select jsonb_agg(to_jsonb(failed) order by failed.id) from failed), '[]') as changed`);
  return row.changed.map(changeFromJson);
}

/** Lists the broadcasts that have work now; pass the last id as `after` for the next page. */
export async function listDueBroadcasts(
  scope: PlatformScope,
  { after, limit }: { after?: string | undefined; limit: number },
): Promise<string[]> {
  const rows = await scope.ask<{ id: string }[]>(sql`
    select b.id from broadcasts b
    where b.id > ${after ?? "00000000-0000-0000-0000-000000000000"}
      and (b.status = 'running' or (b.status = 'scheduled' and (b.scheduled_at is null or b.scheduled_at <= now()))
        or (b.status = 'cancelled' and exists (select from messages m where m.broadcast_id = b.id
          and m.status = 'queued')))
    order by b.id
    limit ${limit}`);
  return rows.map(({ id }) => id);
}
