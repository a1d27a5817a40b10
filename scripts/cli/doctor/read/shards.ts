import { numShardsKey } from "../../../../lib/routing/index.ts";
import { surveyShards } from "../../restore/survey.ts";
import { readCount } from "../../scale/job_group.ts";
import { readLimit } from "../../scale/live_limit.ts";
import { readCopySurveys } from "../../scale/nodes/read_cluster.ts";
import { shardGroup } from "../../scale/shards_now.ts";
import type { CopiesNow } from "../checks/copies.ts";
import type { ShardsNow } from "../checks/shards.ts";
import type { Cluster } from "./cluster.ts";

export async function readShards(cluster: Cluster): Promise<ShardsNow> {
  const [requested, limit, states] = await Promise.all([
    readCount(cluster, shardGroup),
    readLimit(cluster, numShardsKey),
    // The copies are a part of their own, because they need the database.
    surveyShards(cluster, () => Promise.resolve([])),
  ]);
  return { requested, inConsul: limit.value, states };
}

export async function readCopies(cluster: Cluster): Promise<CopiesNow> {
  const [shards, copies] = await Promise.all([readCount(cluster, shardGroup), readCopySurveys(cluster)]);
  return { shards, copies: copies ?? null };
}
