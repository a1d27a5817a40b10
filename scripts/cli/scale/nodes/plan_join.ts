import { nameOf } from "../../../../lib/scaling/index.ts";
import { shardGroup } from "../shards_now.ts";
import type { VolumeNode } from "../../../stack/placement.ts";
import { indexOfShardVolume } from "../../../stack/volumes.ts";
import type { AllocationNow, ClusterNow, GroupNow, NodeNow } from "./cluster_now.ts";
import {
  describeFinished,
  describeRelocations,
  faultOfMoves,
  finishedRelocations,
  planRelocations,
  strayVolumes,
} from "./plan_relocations.ts";
import type { DepartureOptions, PlannedRelocation } from "./plan_relocations.ts";
import { takesWork } from "./plan_replicas.ts";
import { Room } from "./room.ts";
import { allocationOf, isOtherGroup, shardsOn, volumesOf } from "./shards_of_node.ts";

/** A replica that is stopped, so that Nomad starts it on the node that joins. */
export type SpreadReplica = { job: string; group: string; allocationId: string };

export type JoinPlan = {
  lines: string[];
  refusals: string[];
  /** Shards of the node whose drain was interrupted: they stay. */
  kept: number[];
  relocations: PlannedRelocation[];
  /**
   * Relocations whose shards are emptied together, so that no business moves to a shard that is emptied next. One at a
   * time where the other shards have no room for all of their businesses.
   */
  groups: PlannedRelocation[][];
  /** Shards that an interrupted run has relocated, up to their former volumes. */
  finished: number[];
  replicas: SpreadReplica[];
};

/**
 * Plans how a node takes its part of the work: whole shards from the nodes with the most, one at a time, until no node
 * has two more than this one; then replicas. Pure.
 *
 * @param volumes the node, if it can make volumes
 */
export function planJoin(
  now: ClusterNow,
  node: NodeNow,
  volumes: VolumeNode | undefined,
  options: DepartureOptions,
): JoinPlan {
  const refusals =
    node.status === "ready" ? [] : [`${node.name} is ${node.status}: start its agents first (nomad node status).`];
  const joined = { ...node, isEligible: true, isDraining: false };
  const nodes = now.nodes.map((one) => (one.id === node.id ? joined : one)).filter(takesWork);
  const kept = shardsOn(now, node.id)
    .map(({ index }) => index + 1)
    .filter((shard) => now.cordon.includes(shard) || now.relocations.has(shard))
    .filter((shard) => now.relocations.get(shard)?.nodes.at(-1) !== node.id);

  const leaving = volumes === undefined ? [] : shardsFor(now, joined, nodes);
  // A kept shard takes businesses again.
  const uncordoned = { ...now, cordon: now.cordon.filter((shard) => !kept.includes(shard)) };
  const room = new Room([joined]);
  const relocations = planRelocations(now, leaving, volumes === undefined ? [] : [volumes], room, {
    withCopies: options.withCopies,
    isDrain: false,
  });
  const isTogether =
    faultOfMoves(uncordoned, relocations.planned, numbersOf(relocations.planned), options) === undefined;
  const groups = isTogether ? [relocations.planned] : relocations.planned.map((one) => [one]);
  for (const group of groups) {
    const fault = faultOfMoves(uncordoned, group, numbersOf(group), options);
    if (fault !== undefined) refusals.push(fault);
  }
  const finished = finishedRelocations(now);
  refusals.push(...new Set([...relocations.refusals, ...outdatedVolumes(now, node, finished)]));
  const replicas = replicasFor(now, joined, nodes, room);
  return {
    lines: [
      ...describeFinished(finished),
      ...kept.map((shard) => `keep shard ${shard} on ${node.name}: end its interrupted relocation`),
      ...(node.isEligible && !node.isDraining ? [] : [`make ${node.name} eligible`]),
      ...groups.flatMap((group) => describeRelocations(uncordoned, group, numbersOf(group))),
      ...replicas.map((one) => `restart a replica of ${nameOf(one)}, so that Nomad starts it on ${node.name}`),
    ],
    refusals,
    kept,
    finished,
    relocations: relocations.planned,
    groups,
    replicas,
  };
}

const numbersOf = (planned: readonly PlannedRelocation[]) => planned.map(({ shard }) => shard);

/** Refuses volumes on the node of shards that run elsewhere, without those that the end of a relocation deletes. */
function outdatedVolumes(now: ClusterNow, node: NodeNow, finished: readonly number[]): string[] {
  const here = now.volumes.filter(({ nodeId }) => nodeId === node.id);
  return here.flatMap(({ name }) => {
    const index = indexOfShardVolume(name);
    if (index === null) return [];
    const shard = index + 1;
    const runsOn = allocationOf(now, shard)?.nodeId;
    const { nodes = [], inexact = false } = now.relocations.get(shard) ?? {};
    if (runsOn === undefined || runsOn === node.id || nodes.at(-1) === node.id) return [];
    if (finished.includes(shard) && nodes.includes(node.id) && !inexact) return [];
    const others = volumesOf(now, shard).filter(({ nodeId }) => nodeId !== node.id);
    return strayVolumes(
      now,
      shard,
      others.map(({ nodeId }) => nodeId),
    );
  });
}

/** Shards that go to the node: those that an interrupted run chose, then from the nodes with the most. */
function shardsFor(now: ClusterNow, node: NodeNow, nodes: readonly NodeNow[]): AllocationNow[] {
  const left = new Map(nodes.filter(({ id }) => id !== node.id).map(({ id }) => [id, shardsOn(now, id)]));
  const chosen: AllocationNow[] = [];
  const take = (from: string, one: AllocationNow) => {
    chosen.push(one);
    left.set(
      from,
      left.get(from)!.filter((other) => other !== one),
    );
  };
  for (const [id, shards] of left)
    for (const one of shards) if (now.relocations.get(one.index + 1)?.nodes.at(-1) === node.id) take(id, one);
  const own = shardsOn(now, node.id).length;
  for (;;) {
    const [fullest] = [...left].toSorted(([, a], [, b]) => b.length - a.length);
    if (fullest === undefined || fullest[1].length - (own + chosen.length) < 2) return chosen;
    const paired = ({ index }: AllocationNow) => now.shards.get(index + 1)?.paired ?? 0;
    const [lightest] = fullest[1].toSorted((a, b) => paired(a) - paired(b) || b.index - a.index);
    take(fullest[0], lightest!);
  }
}

const isSpread = ({ type, volumes, hasFixedPorts, job }: GroupNow) =>
  type === "service" && volumes.length === 0 && !hasFixedPorts && job !== shardGroup.job;

/** Replicas that go to the node, until no node has two more of a group than this one. */
function replicasFor(now: ClusterNow, node: NodeNow, nodes: readonly NodeNow[], room: Room): SpreadReplica[] {
  const chosen: SpreadReplica[] = [];
  for (const group of now.groups.filter(isSpread)) {
    if (group.pool !== "all" && group.pool !== node.pool) continue;
    const members = now.allocations.filter(
      (one) => isOtherGroup(one) && one.job === group.job && one.group === group.group,
    );
    const on = new Map(nodes.map(({ id }) => [id, members.filter(({ nodeId }) => nodeId === id)]));
    let own = on.get(node.id)!.length;
    for (;;) {
      const [fullest] = [...on.values()].toSorted((a, b) => b.length - a.length);
      const one = fullest!.at(-1);
      if (one === undefined || fullest!.length - own < 2 || !room.has(node.id, one.resources)) break;
      room.take(node.id, one.resources);
      fullest!.pop();
      own += 1;
      chosen.push({ job: one.job, group: one.group, allocationId: one.id });
    }
  }
  return chosen;
}
