import { and, eq, isNull, sql as expression } from "drizzle-orm";
import { sql } from "../client/literal.ts";
import { fetchRows, query } from "../query.ts";
import { atomically } from "../scope.ts";
import type { BusinessScope, PlatformScope } from "../scope.ts";
import { businesses } from "./schema.ts";

/**
 * Assigns a shard to a business that has none, and returns its shard. Of concurrent first connects, one decides.
 * Undefined if the business does not exist.
 */
export async function assignShard(scope: BusinessScope, shard: number): Promise<number | undefined> {
  const { id, whatsapp_shard, updated_at, deleted_at } = businesses;
  const [business] = await fetchRows(
    scope,
    query
      .update(businesses)
      .set({
        whatsapp_shard: expression`coalesce(${whatsapp_shard}, ${shard}::integer)`,
        updated_at: expression`case when ${whatsapp_shard} is null then now() else ${updated_at} end`,
      })
      .where(and(eq(id, scope.businessId), isNull(deleted_at)))
      .returning({ whatsapp_shard }),
  );
  return business?.whatsapp_shard ?? undefined;
}

/**
 * Like `assignShard`, with the one of `shards` that has the fewest businesses, including moves in progress. Assigns one
 * business at a time: concurrent connects would all choose the same empty shard. Hand-written SQL: counts and assigns
 * in one statement.
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
