import { deployStages } from "../../../stack/deploy_stages.ts";
import { root } from "../../../stack/environment.ts";
import { jobFileOf } from "../../../stack/job_file.ts";
import { serviceStages } from "../../../stack/jobs.ts";
import { runProgram } from "../../../stack/program.ts";
import { partOfJob, releaseVariable } from "../../../stack/release/parts.ts";
import { readJobVariables } from "../../../stack/variables.ts";
import { waitForJobs } from "../../../stack/wait.ts";
import { valuesOfCluster } from "../../../stack/workers_profile.ts";
import type { Stage } from "./stage.ts";

/** The jobs that a rolling deploy replaces. */
export const rollingJobs = ["api", "calls", "workers", "wa-shards"];

/** Replaces the allocations of each job in the stages of a deploy; counts stay. */
export async function deployInStages(stage: Stage): Promise<void> {
  const variables = await readJobVariables(stage.state);
  const agents = { nomadAddr: stage.stack.nomad_addr, consulAddr: stage.stack.consul_http_addr };
  const settle = (jobs: readonly string[]) =>
    waitForJobs(jobs, agents, { until: "settled", deadlineMs: 300_000, known: rollingJobs });
  const stages = serviceStages.map((jobs) => jobs.filter((job) => rollingJobs.includes(job)));
  await deployStages(stages, {
    runs: () => Promise.resolve(true),
    register: (job) => register(stage, job, variables),
    settle,
  });
  await settle(rollingJobs);
}

async function register(stage: Stage, job: string, variables: Record<string, string>): Promise<void> {
  const name = releaseVariable(partOfJob(job)!);
  // The server ignores the query: the same release under another address.
  const release = `${variables[`NOMAD_VAR_${name}`]}&deploy=chaos-${Date.now()}`;
  const command = ["nomad", "job", "run", "-detach", "-preserve-counts", `-var=${name}=${release}`];
  for (const [key, value] of Object.entries(await valuesOfCluster(stage.nomad, job)))
    command.push(`-var=${key}=${value}`);
  const { code, stderr } = await runProgram([...command, jobFileOf(job)], {
    cwd: root,
    env: { ...process.env, ...stage.env, ...variables, NOMAD_ADDR: stage.stack.nomad_addr },
  });
  if (code !== 0) throw new Error(`the deploy of ${job} exited ${code}: ${stderr}`);
}
