import { deployStages } from "../../../stack/deploy_stages.ts";
import { acrossElections } from "../../../stack/elections.ts";
import { readJobFile } from "../../../stack/job_file.ts";
import { serviceStages } from "../../../stack/jobs.ts";
import { partOfJob, releaseVariable } from "../../../stack/release/parts.ts";
import { submit } from "../../../stack/submit.ts";
import { readJobVariables } from "../../../stack/variables.ts";
import { waitForJobs } from "../../../stack/wait.ts";
import { valuesOfCluster } from "../../../stack/workers_profile.ts";
import type { Stage } from "./stage.ts";

/** The jobs that a rolling deploy replaces. */
export const rollingJobs = ["api", "calls", "workers", "wa-shards"];

/** Replaces the allocations of each job in the stages of a deploy; counts stay. */
export async function deployInStages(stage: Stage): Promise<void> {
  const agents = { nomadAddr: stage.stack.nomad_addr, consulAddr: stage.stack.consul_http_addr };
  const settle = (jobs: readonly string[]) =>
    waitForJobs(jobs, agents, { until: "settled", deadlineMs: 300_000, known: rollingJobs });
  const stages = serviceStages.map((jobs) => jobs.filter((job) => rollingJobs.includes(job)));
  const mark = `chaos-${Date.now()}`;
  await deployStages(stages, {
    runs: () => Promise.resolve(true),
    register: (job) => register(stage, job, mark),
    settle,
  });
  await settle(rollingJobs);
}

async function register({ nomad, state }: Stage, job: string, mark: string): Promise<void> {
  const name = releaseVariable(partOfJob(job)!);
  const variables = await readJobVariables(state);
  await acrossElections(async () => {
    // The server ignores the query: the same release under another address.
    const release = `${variables[`NOMAD_VAR_${name}`]}&deploy=${mark}`;
    const file = await readJobFile(
      job,
      { stateDir: state },
      { ...(await valuesOfCluster(nomad, job)), [name]: release },
    );
    await submit(nomad, file);
  });
}
