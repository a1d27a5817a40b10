import type { Environment } from "../environment.ts";
import { readStackValues } from "../env_file.ts";
import { allJobs } from "../jobs.ts";
import { orNull } from "../nomad.ts";
import type { Job, Nomad } from "../nomad.ts";
import { isRetired, readVariable, writeVariable } from "../secrets.ts";
import { checkJob, checkShared, describeFaults } from "./check.ts";
import type { SettingFault } from "./check.ts";

const sharedPath = "nomad/jobs";

/** Writes the stack's settings over those in `nomad/jobs`; what an operator put beside them stays. */
export async function writeSharedSettings(nomad: Nomad, environment: Environment): Promise<boolean> {
  const variable = await readVariable(nomad, sharedPath);
  const settings = await readStackValues("settings", environment);
  return writeVariable(nomad, sharedPath, { ...variable.Items, ...settings }, variable);
}

/** The platform's jobs that are registered, as they run. */
export async function registeredJobs(nomad: Nomad): Promise<Job[]> {
  const jobs = await Promise.all(allJobs.map((id) => orNull(nomad<Job>("GET", `/v1/job/${id}`))));
  return jobs.filter((job) => job !== null);
}

/** Every fault in the settings and secrets that the given jobs would start with. */
export async function faultsInCluster(nomad: Nomad, jobs: readonly Job[]): Promise<SettingFault[]> {
  const { Items: shared } = await readVariable(nomad, sharedPath);
  const faults = checkShared(shared, jobs);
  for (const job of jobs) {
    const { Items } = await readVariable(nomad, `${sharedPath}/${job.ID}`);
    const items = Object.fromEntries(Object.entries(Items).filter(([item]) => !isRetired(job.ID, item)));
    faults.push(...checkJob(job, shared, items));
  }
  return faults;
}

/** Throws an error that names every fault, before anything is deployed. */
export async function requireValidSettings(nomad: Nomad, jobs: readonly Job[]): Promise<void> {
  const faults = await faultsInCluster(nomad, jobs);
  if (faults.length === 0) return;
  const summary = `${faults.length} settings in Nomad Variables are wrong; correct them with \`nomad var put\`:`;
  throw new Error(`${summary}\n${describeFaults(faults)}`);
}
