import { shardVolume } from "../../../stack/volumes.ts";
import type { AllocationNow, ClusterNow, GroupNow, NodeNow } from "../nodes/cluster_now.ts";
import type { DrainPlan } from "../nodes/plan_drain.ts";
import type { PlannedRelocation } from "../nodes/plan_relocations.ts";

/** Nodes `n1`, `n2`, … for plans. */
export const node = (number: number, over: Partial<NodeNow> = {}): NodeNow => ({
  id: `n${number}`,
  name: `client-${number}`,
  pool: "platform",
  status: "ready",
  isEligible: true,
  isDraining: false,
  free: { cpuMhz: 10_000, memoryMb: 10_000 },
  ...over,
});

export const group = (job: string, over: Partial<GroupNow> = {}): GroupNow => ({
  job,
  group: job,
  type: "service",
  pool: "platform",
  hasFixedPorts: false,
  volumes: [],
  ...over,
});

export const shardResources = { cpuMhz: 250, memoryMb: 384 };

export const allocation = (
  job: string,
  index: number,
  on: number,
  over: Partial<AllocationNow> = {},
): AllocationNow => ({
  id: `${job}-${index}`,
  job,
  group: job === "wa-shards" ? "shard" : job,
  index,
  nodeId: `n${on}`,
  status: "running",
  resources: job === "wa-shards" ? shardResources : { cpuMhz: 150, memoryMb: 256 },
  ...over,
});

export type ModelShape = {
  nodes: readonly NodeNow[];
  /** The node of each shard, in order, and its businesses. */
  shards: readonly { on: number; businesses: number }[];
  groups?: readonly GroupNow[];
  allocations?: readonly AllocationNow[];
};

/** A cluster whose shards each have their volume and pass their checks. */
export function clusterOf({ nodes, shards, groups = [], allocations = [] }: ModelShape): ClusterNow {
  return {
    nodes,
    groups: [...groups, group("wa-shards", { group: "shard" })],
    allocations: [...allocations, ...shards.map(({ on }, index) => allocation("wa-shards", index, on))],
    volumes: shards.map(({ on }, index) => ({ id: `v${index}-${on}`, name: shardVolume(index), nodeId: `n${on}` })),
    volumeNodes: volumeNodesOf(nodes),
    shards: new Map(
      shards.map(({ businesses }, index) => [index + 1, { businesses, paired: businesses, isReachable: true }]),
    ),
    cordon: [],
    relocations: new Map(),
    copies: undefined,
    calls: 0,
  };
}

const volumeNodesOf = (nodes: readonly NodeNow[]) =>
  nodes
    .filter(({ status, isEligible }) => status === "ready" && isEligible)
    .map(({ id, name }) => ({ id, name, freeBytes: 50e9 }));

/** The cluster with a changed node. */
export function withNode(now: ClusterNow, id: string, change: Partial<NodeNow>): ClusterNow {
  const nodes = now.nodes.map((one) => (one.id === id ? { ...one, ...change } : one));
  return { ...now, nodes, volumeNodes: volumeNodesOf(nodes) };
}

/** How far a relocation came before its command was killed. */
export const stages = ["recorded", "volume made", "started", "finished"] as const;
export type Stage = (typeof stages)[number];

/** The cluster after a relocation has reached a stage. */
export function relocated(now: ClusterNow, one: PlannedRelocation, stage: Stage): ClusterNow {
  const reached = (other: Stage) => stages.indexOf(stage) >= stages.indexOf(other);
  const name = shardVolume(one.shard - 1);
  const former = now.volumes.filter((volume) => volume.name === name);
  const others = now.volumes.filter((volume) => volume.name !== name);
  const made = { id: `v${one.shard - 1}-${one.to.id}`, name, nodeId: one.to.id };
  const kept = reached("finished") ? [] : former.filter(({ nodeId }) => nodeId !== one.to.id);
  const relocations = new Map(now.relocations);
  if (reached("finished")) relocations.delete(one.shard);
  else relocations.set(one.shard, { nodes: one.nodes });
  return {
    ...now,
    relocations,
    cordon: reached("finished") ? now.cordon.filter((shard) => shard !== one.shard) : [...now.cordon, one.shard],
    volumes: [...others, ...kept, ...(reached("volume made") ? [made] : former.filter((v) => v.nodeId === one.to.id))],
    allocations: now.allocations.map((allocated) =>
      reached("started") && allocated.job === "wa-shards" && allocated.index === one.shard - 1
        ? { ...allocated, nodeId: one.to.id }
        : allocated,
    ),
    shards: one.how === "move" ? withoutBusinesses(now, one.shard) : now.shards,
  };
}

/** Its businesses are on the first other reachable shard. */
function withoutBusinesses({ shards }: ClusterNow, shard: number): ClusterNow["shards"] {
  const { businesses, paired } = shards.get(shard)!;
  const taker = [...shards].find(([other, { isReachable }]) => other !== shard && isReachable)?.[0];
  return new Map(
    [...shards].map(([number, one]) => {
      if (number === shard) return [number, { ...one, businesses: 0, paired: 0 }];
      if (number !== taker) return [number, one];
      return [number, { ...one, businesses: one.businesses + businesses, paired: one.paired + paired }];
    }),
  );
}

/** The cluster after Nomad's part of a drain. */
export function drained(now: ClusterNow, id: string, { replicas }: Pick<DrainPlan, "replicas">): ClusterNow {
  const moved = [...replicas];
  const allocations = now.allocations.flatMap((one) => {
    if (one.nodeId !== id) return [one];
    const at = moved.findIndex(({ group: name }) => name === one.job);
    if (at < 0) return [];
    const [{ to }] = moved.splice(at, 1) as [DrainPlan["replicas"][number]];
    return [{ ...one, nodeId: now.nodes.find(({ name }) => name === to)!.id }];
  });
  return withNode({ ...now, allocations }, id, { isEligible: false, isDraining: false });
}
