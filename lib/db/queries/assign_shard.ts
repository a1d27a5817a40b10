import type { BusinessScope } from "../scope.ts";

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
