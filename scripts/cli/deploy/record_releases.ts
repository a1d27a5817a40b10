import type { Environment } from "../../stack/environment.ts";
import type { Nomad } from "../../stack/nomad.ts";
import { releaseVariableOf } from "../../stack/release/parts.ts";
import { releaseOf } from "../../stack/release/running.ts";
import { readJobVariables, writeJobVariables } from "../../stack/variables.ts";
import { runningJobsOf } from "./wanted_jobs.ts";

/**
 * Writes the releases that the jobs of a stack run to its job.env. Other commands read job files with it, and must not
 * deploy a release that failed.
 */
export async function recordReleases(nomad: Nomad, environment: Environment): Promise<void> {
  const known = Object.entries(await readJobVariables(environment.stateDir))
    .filter(([name]) => name.endsWith("_release"))
    .map(([name, address]) => [name.replace("NOMAD_VAR_", ""), address] as const);
  const running = [...(await runningJobsOf(nomad)).values()].flatMap((job) => {
    const [variable, address] = [releaseVariableOf(job.ID), releaseOf(job)];
    return variable === null || address === undefined ? [] : [[variable, address] as const];
  });
  await writeJobVariables(environment, Object.fromEntries([...known, ...running]));
}
