import { sql } from "../client/literal.ts";
import { atomically } from "../scope.ts";
import type { BusinessScope, PlatformScope } from "../scope.ts";

/**
 * Writes down the shard of a business that has none and returns the shard it has: of many first connects at
 * once, one decides. Undefined when there is no such business.
 */
export async function assignShard(scope: BusinessScope, shard: number): Promise<number | undefined> {
  const [business] = await scope.run(
    (sql) => sql<{ whatsapp_shard: number }[]>`
      update businesses
      set whatsapp_shard = coalesce(whatsapp_shard, ${shard}::integer),
          updated_at = case when whatsapp_shard is null then now() else updated_at end
      where id = ${scope.businessId} and deleted_at is null
      returning whatsapp_shard`,
  );
  return business?.whatsapp_shard;
}

/**
 * As `assignShard`, with whichever of `shards` the fewest businesses live on, or are on the way to. One assignment at a
 * time: those that connect in the same moment would all find the same one empty.
 */
export function assignLeastLoaded(
  scope: PlatformScope,
  businessId: string,
  shards: readonly number[],
): Promise<number | undefined> {
  return atomically(scope, async (inside) => {
    await inside.ask(sql`select pg_advisory_xact_lock(hashtextextended('prosaas.assign_shard', 0))`);
    const [business] = await inside.ask<{ whatsapp_shard: number }[]>(sql`
      with population as (
        select coalesce(m.to_shard, b.whatsapp_shard) as shard, count(*) as businesses
        from businesses b left join moves m on m.business_id = b.id and m.finished_at is null
        where b.whatsapp_shard is not null and b.deleted_at is null
        group by 1
      ), least as (
        select shard from unnest(${shards.map(String)}::integer[]) as s (shard) left join population using (shard)
        order by coalesce(businesses, 0), shard
        limit 1
      )
      update businesses
      set whatsapp_shard = coalesce(whatsapp_shard, (select shard from least)),
          updated_at = case when whatsapp_shard is null then now() else updated_at end
      where id = ${businessId} and deleted_at is null
      returning whatsapp_shard`);
    return business?.whatsapp_shard;
  });
}
