import { assignLeastLoaded, assignShard, forPlatform, getBusiness } from "../../../../lib/db/index.ts";
import type { BusinessScope } from "../../../../lib/db/index.ts";
import type { ApiDependencies } from "../../backend/dependencies.ts";

/**
 * The assigned shard of a business. Assigns one at the first connect. Undefined if the business does not exist.
 */
export async function shardOf(
  { db, router, assignmentRule }: Pick<ApiDependencies, "db" | "router" | "assignmentRule">,
  scope: BusinessScope,
): Promise<number | undefined> {
  if (assignmentRule() === "hash") return assignShard(scope, router.assign(scope.businessId));
  const business = await getBusiness(scope);
  if (business?.whatsapp_shard != null) return business.whatsapp_shard;
  const available = router.shards().flatMap(({ shard }) => (shard <= router.numShards ? [shard] : []));
  // No shard is registered: fall back to the hash, and the connect waits for that shard.
  if (available.length === 0) return assignShard(scope, router.assign(scope.businessId));
  return assignLeastLoaded(forPlatform(db), scope.businessId, available);
}
