import { kvGet } from "../../../lib/consul/client.ts";
import { numShardsKey, parseNumShards } from "../../../lib/routing/index.ts";
import { connectConsul } from "../../stack/consul.ts";
import { readJobFile } from "../../stack/job_file.ts";
import type { Nomad } from "../../stack/nomad.ts";
import { valuesOfCluster } from "../../stack/workers_profile.ts";

/** A count that is one thing in the cluster and another where it was written down first. */
export type Drift = {
  /** "workers/high", or "num_shards". */
  what: string;
  /** What the cluster has. Deploys keep it. */
  cluster: number;
  /** What the job files and their variables say; for num_shards, how many shards were asked for. */
  file: number;
};

export type GroupCount = { job: string; group: string; count: number };

const nameOf = ({ job, group }: Omit<GroupCount, "count">) => (job === group ? job : `${job}/${group}`);

/** Where the cluster's counts are not those of the files; a group that is not in its file any more counts as 0 there. */
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

/** The number of shards by which businesses are assigned, where it is not the number that was asked for: a scale command was cut short. */
export async function driftOfNumShards(consulAddr: string, shards: number): Promise<Drift[]> {
  const entry = await kvGet(connectConsul(consulAddr), numShardsKey);
  const number = entry === null ? null : parseNumShards(entry.value.trim());
  return number === null || number === shards ? [] : [{ what: "num_shards", cluster: number, file: shards }];
}
