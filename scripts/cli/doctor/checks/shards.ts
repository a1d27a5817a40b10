import type { ShardState } from "../../restore/rules.ts";
import { count, error, warning } from "../finding.ts";
import type { Fault } from "../finding.ts";

export type ShardsNow = {
  /** Allocations that the job requests. */
  requested: number;
  /** The number of shards in Consul KV; null before it was first written. */
  inConsul: number | null;
  states: readonly ShardState[];
};

export function judgeShards({ requested, inConsul, states }: ShardsNow): Fault[] {
  const faults = states.flatMap((state) => [...judgeVolumes(state), ...judgeOwner(state)]);
  if (inConsul === null || inConsul === requested) return faults;
  const found = `Consul KV counts ${count(inConsul, "shard")}, the job requests ${requested}: a scale command stopped.`;
  return [error(found, `Run it again: task scale:shards N=${Math.max(inConsul, requested)}`), ...faults];
}

function judgeVolumes({ shard, volumes, keptOn, relocatesTo, attempt }: ShardState): Fault[] {
  if (volumes.length === 0) {
    const found = `Shard ${shard} has no volume, so that it cannot start.`;
    return [error(found, `Start it from its copy: task restore SHARD=${shard}`)];
  }
  if (relocatesTo !== null) {
    const found = `Shard ${shard} is being relocated to another node by task node:drain.`;
    return [warning(found, "If the command does not run any more, run it again.")];
  }
  const superfluous = volumes.filter(({ nodeId }) => !keptOn.includes(nodeId));
  if (superfluous.length < 2) return [];
  const nodes = superfluous.map(({ node, nodeId }) => node?.name ?? nodeId.slice(0, 8)).join(", ");
  const help =
    attempt === null
      ? "See which one is mounted (nomad volume status -type host), and scripts/cli/restore/README.md."
      : `Delete the outdated one when its node is back: task restore SHARD=${shard}`;
  return [warning(`Shard ${shard} has ${superfluous.length} volumes, on ${nodes}; one is current.`, help)];
}

function judgeOwner({ shard, allocation, isLocked, isOwner }: ShardState): Fault[] {
  if (allocation !== null && allocation.node !== null && allocation.node.status !== "ready") {
    const { name, status } = allocation.node;
    const found = `Shard ${shard} is on node ${name}, which is ${status}: its businesses send and receive nothing.`;
    return [error(found, `Start the node, or the shard elsewhere: task restore SHARD=${shard}`)];
  }
  if (!isLocked) {
    const found = `Shard ${shard} has no owner: no process holds its lock, its businesses send and receive nothing.`;
    return [error(found, "See why it does not start: task logs -- wa-shards --since 10m")];
  }
  if (isOwner) return [];
  const found = `The lock of shard ${shard} is held by another process than its running allocation, which stands by.`;
  return [error(found, "Wait 30 s for a former owner to lose it, then see: task logs -- wa-shards --level warn")];
}
