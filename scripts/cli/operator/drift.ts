import { kvGet } from "../../../lib/consul/client.ts";
import { numShardsKey, parseNumShards } from "../../../lib/routing/index.ts";
import { connectConsul } from "../../stack/consul.ts";
import { readJobFile } from "../../stack/job_file.ts";
import type { Nomad } from "../../stack/nomad.ts";
import { valuesOfCluster } from "../../stack/workers_profile.ts";
import { nameOf } from "../../../lib/scaling/index.ts";

/** A count that differs between the cluster and the job files. */
export type Drift = {
  /** "workers/high", or "num_shards". */
  what: string;
  /** The cluster's count, which deploys keep. */
  cluster: number;
  /** The count in the job files and their variables; for num_shards, the requested shards. */
  file: number;
};

export type GroupCount = { job: string; group: string; count: number };

/** Lists the counts that differ; a group that its file lacks counts as 0 there. */
export function compareCounts(cluster: readonly GroupCount[], files: readonly GroupCount[]): Drift[] {
  const written = new Map(files.map((group) => [nameOf(group), group.count]));
  return cluster
    .map((group) => ({ what: nameOf(group), cluster: group.count, file: written.get(nameOf(group)) ?? 0 }))
    .filter(({ cluster: count, file }) => count !== file);
}

/** The counts that the job files and nomad/env say, of the given jobs, in the profile that runs. */
export async function countsInFiles(nomad: Nomad, jobs: readonly string[], stateDir: string): Promise<GroupCount[]> {
  const files = await Promise.all(
    jobs.map(async (id) => readJobFile(id, { stateDir }, await valuesOfCluster(nomad, id))),
  );
  return files.flatMap(({ ID, TaskGroups }) =>
    TaskGroups.map(({ Name, Count }) => ({ job: ID, group: Name, count: Count })),
  );
}

/** Reports a number of shards in Consul that differs from the requested shards: a scale command was interrupted. */
export async function driftOfNumShards(consulAddr: string, shards: number): Promise<Drift[]> {
  const entry = await kvGet(connectConsul(consulAddr), numShardsKey);
  const number = entry === null ? null : parseNumShards(entry.value.trim());
  return number === null || number === shards ? [] : [{ what: "num_shards", cluster: number, file: shards }];
}
