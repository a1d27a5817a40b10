import { indexOfShardVolume } from "../../../stack/volumes.ts";
import { shardGroup } from "../shards_now.ts";
import type { AllocationNow, ClusterNow, VolumeNow } from "./cluster_now.ts";

const isShard = ({ job, group }: Pick<AllocationNow, "job" | "group">) =>
  job === shardGroup.job && group === shardGroup.group;

/** The allocations of the shards on a node, in order of shard number. */
export const shardsOn = ({ allocations }: Pick<ClusterNow, "allocations">, nodeId: string): AllocationNow[] =>
  allocations.filter((one) => isShard(one) && one.nodeId === nodeId).toSorted((a, b) => a.index - b.index);

/** The allocation of a shard; undefined while Nomad has none for it. */
export const allocationOf = ({ allocations }: Pick<ClusterNow, "allocations">, shard: number) =>
  allocations.find((one) => isShard(one) && one.index === shard - 1);

/** The volumes of a shard; more than one while it is relocated, or if one was left over. */
export const volumesOf = ({ volumes }: Pick<ClusterNow, "volumes">, shard: number): VolumeNow[] =>
  volumes.filter(({ name }) => indexOfShardVolume(name) === shard - 1);

export const isOtherGroup = (one: Pick<AllocationNow, "job" | "group">): boolean => !isShard(one);
