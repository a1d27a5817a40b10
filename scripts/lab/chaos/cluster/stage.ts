import { readStack } from "../../../cli/operator/stack.ts";
import { readCluster } from "../../cluster/cluster.ts";
import type { ClusterNode } from "../../cluster/layout.ts";
import type { Cluster } from "../../cluster/node.ts";
import { openCallers } from "./callers.ts";
import type { Callers } from "./callers.ts";
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
  callers: Callers;
};

export async function openStage(name: string, calls: number, say: ScaleStage["say"]): Promise<Stage> {
  const cluster = await readCluster(name);
  process.env["PROSAAS_STACK"] = name;
  await readStack(name);
  const { clients } = cluster.layout;
  const platform = clients.filter((node) => node.pool !== "data");
  const stage = await openScaleStage(cluster.state, { PROSAAS_STACK: name }, say);
  return {
    ...stage,
    callers: await openCallers(stage, calls),
    cluster,
    data: clients[0]!,
    platform,
    victim: platform.at(-1)!,
  };
}
