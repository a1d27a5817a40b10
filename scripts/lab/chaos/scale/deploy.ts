import { root } from "../../../stack/environment.ts";
import { jobFileOf } from "../../../stack/job_file.ts";
import { runProgram } from "../../../stack/program.ts";
import { partOfJob, releaseVariable } from "../../../stack/release/parts.ts";
import { readJobVariables } from "../../../stack/variables.ts";
import { waitForJobs } from "../../../stack/wait.ts";
import { valuesOfCluster } from "../../../stack/workers_profile.ts";
import type { Stage } from "./stage.ts";

/** The jobs that a rolling deploy replaces. */
export const rollingJobs = ["api", "calls", "workers", "wa-shards"];

/** Replaces the allocations of each job as a deploy does; counts stay. */
export async function deployAll(stage: Stage): Promise<void> {
  const variables = await readJobVariables(stage.state);
  for (const job of rollingJobs) {
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
  const agents = { nomadAddr: stage.stack.nomad_addr, consulAddr: stage.stack.consul_http_addr };
  await waitForJobs(rollingJobs, agents, { until: "settled", deadlineMs: 300_000, known: rollingJobs });
}
