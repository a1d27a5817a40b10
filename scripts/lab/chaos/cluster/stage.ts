import { readStack } from "../../../cli/operator/stack.ts";
import { poolOf } from "../../cluster/configuration.ts";
import { readCluster } from "../../cluster/cluster.ts";
import type { ClusterNode } from "../../cluster/layout.ts";
import type { Cluster } from "../../cluster/node.ts";
import { openStage as openScaleStage } from "../scale/stage.ts";
import type { Stage as ScaleStage } from "../scale/stage.ts";

/** The cluster of a run, and the commands and clients that act on it. */
export type Stage = ScaleStage & {
  cluster: Cluster;
  /** The client with the data. */
  data: ClusterNode;
  /** Clients that take services and shards. */
  platform: readonly ClusterNode[];
  /** A platform client whose edge no request of the run uses. */
  victim: ClusterNode;
};

export async function openStage(name: string, say: ScaleStage["say"]): Promise<Stage> {
  const cluster = await readCluster(name);
  process.env["PROSAAS_STACK"] = name;
  await readStack(name);
  const { clients } = cluster.layout;
  const platform = clients.filter((node) => poolOf(cluster.layout, node) !== "data");
  return {
    ...(await openScaleStage(cluster.state, { PROSAAS_STACK: name }, say)),
    cluster,
    data: clients[0]!,
    platform,
    victim: platform.at(-1)!,
  };
}
