import { assignLeastLoaded, assignShard, forPlatform, getBusiness } from "../../../../lib/db/index.ts";
import type { BusinessScope } from "../../../../lib/db/index.ts";
import type { ApiDependencies } from "../../backend/dependencies.ts";

/** The shard of a business, written down now if this is its first connect; undefined when there is no such business. */
export async function shardOf(
  { db, router, assignmentRule }: Pick<ApiDependencies, "db" | "router" | "assignmentRule">,
  scope: BusinessScope,
): Promise<number | undefined> {
  if (assignmentRule() === "hash") return assignShard(scope, router.assign(scope.businessId));
  const business = await getBusiness(scope);
  if (business?.whatsapp_shard != null) return business.whatsapp_shard;
  const available = router.shards().flatMap(({ shard }) => (shard <= router.numShards ? [shard] : []));
  // None is known: the hash gives one that can be waited for.
  if (available.length === 0) return assignShard(scope, router.assign(scope.businessId));
  return assignLeastLoaded(forPlatform(db), scope.businessId, available);
}
