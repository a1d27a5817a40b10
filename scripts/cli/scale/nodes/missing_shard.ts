import { kvGet } from "../../../../lib/consul/client.ts";
import { ownerKey, shardService } from "../../../../lib/routing/index.ts";
import type { Target } from "../target.ts";
import { readAllocations } from "./read_cluster.ts";
import { allocationOf } from "./shards_of_node.ts";
import { missingAtTarget } from "./target_proof.ts";
import type { TargetState } from "./target_proof.ts";

/** Why the shard has not taken over on the node yet, as {@link missingAtTarget}; null if it has. */
export async function missingShard(
  target: Pick<Target, "nomad" | "consul">,
  { shard, node, copy }: Pick<TargetState, "shard" | "node" | "copy">,
): Promise<string | null> {
  const services = `/v1/health/service/${shardService}?passing=1`;
  return missingAtTarget({
    shard,
    node,
    allocation: allocationOf({ allocations: await readAllocations(target) }, shard),
    instances: (await target.consul.blockingGet(services, { index: 0 })).body,
    owner: await kvGet(target.consul, ownerKey(shard)),
    copy,
  });
}
