import { nameOf } from "../../../../lib/scaling/index.ts";
import type { AllocationNow, ClusterNow, GroupNow, NodeNow } from "./cluster_now.ts";
import type { Room } from "./room.ts";
import { isOtherGroup } from "./shards_of_node.ts";

/** A replica that Nomad starts elsewhere. */
export type MovedReplica = { group: string; to: string };

export type ReplicasPlan = {
  moved: MovedReplica[];
  /** Groups that run nowhere else, or on every other node already. */
  stopped: string[];
  lines: string[];
  refusals: string[];
};

export const takesWork = ({ status, isEligible, isDraining }: NodeNow): boolean =>
  status === "ready" && isEligible && !isDraining;

const isInPool = ({ pool }: NodeNow, group: GroupNow) => group.pool === "all" || group.pool === pool;

const groupOf = ({ groups }: ClusterNow, { job, group }: AllocationNow) =>
  groups.find((one) => one.job === job && one.group === group);

/**
 * Finds room for what is on a node besides the shards, as Nomad would: on the node with the fewest replicas of the
 * group. Only shows that there is room; Nomad chooses.
 */
export function planReplicas(now: ClusterNow, node: NodeNow, room: Room, stopTied: boolean): ReplicasPlan {
  const plan: ReplicasPlan = { moved: [], stopped: [], lines: [], refusals: [] };
  const placed = now.allocations.filter(isOtherGroup).map(({ job, group, nodeId }) => ({ job, group, nodeId }));
  const leaving = now.allocations
    .filter((one) => isOtherGroup(one) && one.nodeId === node.id)
    .toSorted((a, b) => b.resources.memoryMb - a.resources.memoryMb);
  const only: string[] = [];
  const stop = (name: string, why: string) => {
    plan.stopped.push(name);
    plan.lines.push(`stop ${name} on ${node.name} until the node is back: ${why}`);
  };
  for (const allocation of leaving) {
    const group = groupOf(now, allocation);
    const name = nameOf(allocation);
    if (group === undefined || group.type.startsWith("sys")) continue;
    if (group.type !== "service") {
      plan.lines.push(`wait for ${name} to end`);
      continue;
    }
    const replicas = (nodeId: string) =>
      placed.filter((one) => one.job === group.job && one.group === group.group && one.nodeId === nodeId).length;
    const others = now.nodes.filter((one) => one.id !== node.id && takesWork(one) && isInPool(one, group));
    const able = others.filter(({ id }) => hasVolumes(now, group, id));
    if (able.length === 0 && group.volumes.length > 0) {
      if (stopTied) stop(name, "its volume is there");
      else plan.refusals.push(tied(now, node, group));
      continue;
    }
    const free = able.filter(({ id }) => !group.hasFixedPorts || replicas(id) === 0);
    if (free.length === 0) {
      const left = able.reduce((sum, { id }) => sum + replicas(id), 0);
      if (left > 0) stop(name, `each other node has one, and ${left} go on serving`);
      else plan.refusals.push(`${node.name} is the last node that can run ${name}.`);
      continue;
    }
    const [to] = free
      .filter(({ id }) => room.has(id, allocation.resources))
      .toSorted((a, b) => replicas(a.id) - replicas(b.id) || room.freeMemoryMb(b.id) - room.freeMemoryMb(a.id));
    if (to === undefined) {
      const { memoryMb, cpuMhz } = allocation.resources;
      plan.refusals.push(`No other node has ${memoryMb} MB and ${cpuMhz} MHz free for ${name}.`);
      continue;
    }
    if (placed.filter((one) => one.job === group.job && one.group === group.group).length === 1) only.push(name);
    room.take(to.id, allocation.resources);
    placed.push({ job: group.job, group: group.group, nodeId: to.id });
    plan.moved.push({ group: name, to: to.name });
  }
  const byNode = Map.groupBy(plan.moved, ({ to }) => to);
  for (const [to, members] of byNode)
    plan.lines.push(`let Nomad start ${members.map((one) => one.group).join(", ")} elsewhere; ${to} has room`);
  if (only.length > 0) plan.lines.push(`expect a pause of ${only.join(", ")}: there is no second replica of it`);
  return plan;
}

const hasVolumes = ({ volumes }: ClusterNow, group: GroupNow, nodeId: string) =>
  group.volumes.every((name) => volumes.some((one) => one.name === name && one.nodeId === nodeId));

function tied(now: ClusterNow, node: NodeNow, { job, volumes }: GroupNow): string {
  const stops = `${job} is tied to ${node.name} by its volume ${volumes.join(", ")}`;
  if (job !== "postgres") return `${stops}: it would stop until the node is back. Add --stop-tied to accept that.`;
  const replica = now.allocations.find((one) => one.job === "postgres-replica" && one.nodeId !== node.id);
  const remedy =
    replica === undefined
      ? "it has no replica on another node"
      : "promote its replica first, and point the pooler and the services to it";
  return `${stops}, and without it nothing is accepted: ${remedy}. Add --stop-tied to accept the outage.`;
}
