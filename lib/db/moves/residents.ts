import { sql } from "../client/literal.ts";
import type { PlatformScope } from "../scope.ts";

/** Number of businesses on a shard. */
export type ShardPopulation = {
  shard: number;
  businesses: number;
  /** Businesses with a linked phone. */
  paired: number;
  /** Moves in progress to or from the shard. */
  moving: number;
};

/** Population of every shard with businesses or moves. Hand-written SQL: one statement aggregates three tables. */
export function countAssignments(scope: PlatformScope): Promise<ShardPopulation[]> {
  return scope.ask<ShardPopulation[]>(sql`
    with population as (
      select b.whatsapp_shard as shard, count(*)::integer as businesses,
        (count(*) filter (where s.paired))::integer as paired
      from businesses b left join whatsapp_sessions s on s.business_id = b.id
      where b.whatsapp_shard is not null and b.deleted_at is null
      group by b.whatsapp_shard
    ), traffic as (
      select shard, count(*)::integer as moving
      from moves cross join lateral (values (from_shard), (to_shard)) as ends (shard)
      where finished_at is null
      group by shard
    )
    select shard, coalesce(businesses, 0) as businesses, coalesce(paired, 0) as paired, coalesce(moving, 0) as moving
    from population full join traffic using (shard)
    order by shard`);
}

/** The shard of a business, or the target of its move in progress. */
export type Resident = {
  business_id: string;
  shard: number;
  paired: boolean;
  moving: boolean;
  /** True if its last move ended within an hour. */
  just_moved: boolean;
};

/** Every business with a shard, sorted by id. Hand-written SQL: reads all businesses in one pass. */
export function listResidents(scope: PlatformScope): Promise<Resident[]> {
  return scope.ask<Resident[]>(sql`
    select b.id as business_id, coalesce(m.to_shard, b.whatsapp_shard) as shard, coalesce(s.paired, false) as paired,
      m.id is not null as moving, recent.business_id is not null as just_moved
    from businesses b
    left join whatsapp_sessions s on s.business_id = b.id
    left join moves m on m.business_id = b.id and m.finished_at is null
    left join (
      select distinct business_id from moves where step = 'done' and finished_at > now() - interval '1 hour'
    ) recent on recent.business_id = b.id
    where b.whatsapp_shard is not null and b.deleted_at is null
    order by b.id`);
}
