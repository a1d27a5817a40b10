import { nameOf } from "../job_group.ts";
import { shardGroup } from "../shards_now.ts";
import type { VolumeNode } from "../../../stack/placement.ts";
import type { AllocationNow, ClusterNow, GroupNow, NodeNow } from "./cluster_now.ts";
import {
  describeFinished,
  describeRelocations,
  faultOfMoves,
  finishedRelocations,
  planRelocations,
} from "./plan_relocations.ts";
import type { DepartureOptions, PlannedRelocation } from "./plan_relocations.ts";
import { takesWork } from "./plan_replicas.ts";
import { Room } from "./room.ts";
import { isOtherGroup, shardsOn } from "./shards_of_node.ts";

/** A replica that is stopped, so that Nomad starts it on the node that joins. */
export type SpreadReplica = { job: string; group: string; allocationId: string };

export type JoinPlan = {
  lines: string[];
  refusals: string[];
  /** Shards of the node whose drain was interrupted: they stay. */
  kept: number[];
  relocations: PlannedRelocation[];
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
  // One shard is emptied at a time: the others take its businesses.
  for (const one of relocations.planned) {
    const fault = faultOfMoves(uncordoned, [one], [one.shard], options);
    if (fault !== undefined) refusals.push(fault);
  }
  refusals.push(...relocations.refusals);
  const finished = finishedRelocations(now);
  const replicas = replicasFor(now, joined, nodes, room);
  return {
    lines: [
      ...describeFinished(finished),
      ...kept.map((shard) => `keep shard ${shard} on ${node.name}: end its interrupted relocation`),
      ...(node.isEligible && !node.isDraining ? [] : [`make ${node.name} eligible`]),
      ...relocations.planned.flatMap((one) => describeRelocations(uncordoned, [one], [one.shard])),
      ...replicas.map((one) => `restart a replica of ${nameOf(one)}, so that Nomad starts it on ${node.name}`),
    ],
    refusals,
    kept,
    finished,
    relocations: relocations.planned,
    replicas,
  };
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
