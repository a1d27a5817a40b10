import { assignLeastLoaded, assignShard, forPlatform, getBusiness } from "../../../../lib/db/index.ts";
import type { BusinessScope } from "../../../../lib/db/index.ts";
import type { ApiDependencies } from "../../backend/dependencies.ts";

/**
 * The assigned shard of a business. Assigns one at the first connect: by the rule, or the least loaded one where the
 * hash names a cordoned shard. Undefined if the business does not exist.
 */
export async function shardOf(
  { db, router, assignmentRule, cordon }: Pick<ApiDependencies, "db" | "router" | "assignmentRule" | "cordon">,
  scope: BusinessScope,
): Promise<number | undefined> {
  const hashed = router.assign(scope.businessId);
  const cordoned = cordon();
  if (assignmentRule() === "hash" && !cordoned.includes(hashed)) return assignShard(scope, hashed);
  const business = await getBusiness(scope);
  if (business?.whatsapp_shard != null) return business.whatsapp_shard;
  const available = router
    .shards()
    .flatMap(({ shard }) => (shard <= router.numShards && !cordoned.includes(shard) ? [shard] : []));
  // No such shard is registered: fall back to the hash, and the connect waits for that shard.
  if (available.length === 0) return assignShard(scope, hashed);
  return assignLeastLoaded(forPlatform(db, scope.dueAt), scope.businessId, available);
}
