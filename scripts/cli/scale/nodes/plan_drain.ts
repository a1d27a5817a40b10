import { shardGroup } from "../shards_now.ts";
import type { AllocationNow, ClusterNow, NodeNow } from "./cluster_now.ts";
import {
  describeFinished,
  describeRelocations,
  faultOfMoves,
  finishedRelocations,
  planRelocations,
} from "./plan_relocations.ts";
import type { DepartureOptions, PlannedRelocation } from "./plan_relocations.ts";
import { planReplicas, takesWork } from "./plan_replicas.ts";
import type { MovedReplica } from "./plan_replicas.ts";
import { Room } from "./room.ts";
import { allocationOf, shardsOn } from "./shards_of_node.ts";

export type DrainOptions = DepartureOptions & {
  /** True if services that are tied to the node by a volume may stop. */
  stopTied: boolean;
};

export type DrainPlan = {
  /** Planned actions, one a line; empty if the node is drained. */
  lines: string[];
  refusals: string[];
  relocations: PlannedRelocation[];
  /** Shards that an interrupted run has relocated, up to their former volumes. */
  finished: number[];
  replicas: MovedReplica[];
  stopped: string[];
};

/** Plans the drain of a node from the state of the cluster; omits what an interrupted run already did. Pure. */
export function planDrain(now: ClusterNow, node: NodeNow, options: DrainOptions): DrainPlan {
  const leaving = [...shardsOn(now, node.id), ...strandedShards(now, node)];
  const finished = finishedRelocations(now);
  const numbers = leaving.map(({ index }) => index + 1);
  const here = now.allocations.filter(({ nodeId }) => nodeId === node.id);

  const refusals: string[] = [];
  if (node.status !== "ready" && here.length > 0) {
    refusals.push(
      `${node.name} is ${node.status}: nothing can be taken from it. Start it and run the command again, or start ` +
        "its shards elsewhere from their copies (task restore).",
    );
  }
  const room = new Room(now.nodes.filter((one) => one.id !== node.id && takesWork(one)));
  const relocations = planRelocations(now, leaving, now.volumeNodes, room, {
    withCopies: options.withCopies,
    isDrain: true,
  });
  const fault = faultOfMoves(now, relocations.planned, numbers, options);
  const replicas = planReplicas(now, node, room, options.stopTied);
  refusals.push(...relocations.refusals, ...(fault === undefined ? [] : [fault]), ...replicas.refusals);
  const carriesCalls = here.some(({ job }) => job === "calls");
  return {
    lines: [
      ...describeFinished(finished),
      ...(node.isEligible ? [`make ${node.name} ineligible: Nomad starts nothing new there`] : []),
      ...describeRelocations(now, relocations.planned, numbers),
      ...(carriesCalls && now.calls !== 0
        ? [
            `carry on the calls of this node for up to 10 minutes, then hand them over ` +
              `(${now.calls ?? "an unknown number"} in progress in the cluster)`,
          ]
        : []),
      ...replicas.lines,
      ...(here.length > 0 ? [`drain ${node.name} in Nomad`] : []),
    ],
    refusals,
    relocations: relocations.planned,
    finished,
    replicas: replicas.moved,
    stopped: replicas.stopped,
  };
}

/**
 * Shards that left the node and are nowhere: the node that was chosen for them was lost before they started. They need
 * no more than a volume on another one.
 */
function strandedShards(now: ClusterNow, node: NodeNow): AllocationNow[] {
  const example = now.allocations.find((one) => one.job === shardGroup.job);
  return [...now.relocations]
    .filter(([shard, { nodes }]) => allocationOf(now, shard) === undefined && nodes[0] === node.id)
    .map(([shard]) => ({
      ...shardGroup,
      id: "",
      index: shard - 1,
      nodeId: node.id,
      status: "without a node",
      resources: example?.resources ?? { cpuMhz: 0, memoryMb: 0 },
    }));
}
