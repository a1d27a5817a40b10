import { sleep } from "../../lib/core/time.ts";
import { connectConsul } from "./consul.ts";
import { diagnose } from "./diagnosis.ts";
import type { Environment } from "./environment.ts";
import { judge } from "./health.ts";
import type { Check, Health, Observation } from "./health.ts";
import { createNomad } from "./nomad.ts";
import type { Allocation, Deployment, Evaluation, Job } from "./nomad.ts";
import { createProgress, seconds } from "./progress.ts";

/** A job that did not come up, with a diagnosis. */
export class JobFailure extends Error {
  override readonly name = "JobFailure";
}

/** A task that restarts this often during the wait does not start. */
const HOPELESS_RESTARTS = 8;
const POLL_MS = 300;

/** Where the cluster's agents are. */
export type Agents = Pick<Environment, "nomadAddr" | "consulAddr">;

export type WaitOptions = {
  /** "serving": everything runs and passes its checks. "settled": and no deployment is running. */
  until: "serving" | "settled";
  deadlineMs: number;
  /** Jobs that were reported before: waited for, and mentioned only if there is something to wait for. */
  known?: readonly string[];
};

/** Waits for the jobs with visible progress; throws JobFailure with a diagnosis for the first that fails or is late. */
export async function waitForJobs(jobs: readonly string[], environment: Agents, options: WaitOptions): Promise<void> {
  const nomad = createNomad(environment.nomadAddr);
  const consul = connectConsul(environment.consulAddr);
  const progress = createProgress();
  const began = performance.now();
  const waiting = new Set(jobs);
  const restartsAtFirst = new Map<string, number>();
  /** Deployments that were over before this wait began: their failure is not news. */
  const past = new Set<string>();
  for (const id of jobs) {
    const deployment = await nomad<Deployment | null>("GET", `/v1/job/${encodeURIComponent(id)}/deployment`);
    if (deployment && deployment.Status !== "running") past.add(deployment.ID);
  }

  while (waiting.size > 0) {
    // The agent's own view: after a crash of everything the catalog is stale for a while.
    const checks = Object.values(
      (await consul.blockingGet("/v1/agent/checks", { index: 0 })).body as Record<string, Check>,
    );
    const reasons: string[] = [];
    for (const id of waiting) {
      const observation = await observe(nomad, id, checks);
      const { deployment } = observation;
      const health = judge(deployment && past.has(deployment.ID) ? { ...observation, deployment: null } : observation);
      const elapsed = performance.now() - began;
      if (health.state === "settled" || (health.state === "serving" && options.until === "serving")) {
        waiting.delete(id);
        if (!options.known?.includes(id)) progress.done(`${id.padEnd(12)} ${describe(health)} (${seconds(elapsed)})`);
        continue;
      }
      const restarts = countRestarts(observation.allocations);
      const first = restartsAtFirst.get(id) ?? restarts;
      restartsAtFirst.set(id, first);
      const hopeless = restarts - first >= HOPELESS_RESTARTS;
      if (health.state === "failed" || hopeless || elapsed > options.deadlineMs) {
        const cause = health.state === "failed" || hopeless ? "failed" : `is not healthy after ${seconds(elapsed)}`;
        throw new JobFailure(`job ${id} ${cause}: ${health.why}\n${await diagnose(environment.nomadAddr, id)}`);
      }
      reasons.push(`${id} ${health.healthy}/${health.wanted}: ${health.why}`);
    }
    if (reasons.length > 0) {
      progress.waiting(`${seconds(performance.now() - began)}  ${reasons.join(" · ")}`);
      await sleep(POLL_MS);
    }
  }
}

const describe = ({ healthy, wanted, why }: Health) => (wanted === 0 ? why : `${healthy}/${wanted} healthy`);

const countRestarts = (allocations: readonly Allocation[]) =>
  allocations.reduce(
    (sum, { TaskStates }) => sum + Object.values(TaskStates ?? {}).reduce((n, { Restarts }) => n + Restarts, 0),
    0,
  );

async function observe(
  nomad: ReturnType<typeof createNomad>,
  id: string,
  checks: readonly Check[],
): Promise<Observation> {
  const path = `/v1/job/${encodeURIComponent(id)}`;
  const [job, allocations, deployment, evaluations] = await Promise.all([
    nomad<Job>("GET", path),
    nomad<Allocation[]>("GET", `${path}/allocations`),
    nomad<Deployment | null>("GET", `${path}/deployment`),
    nomad<Evaluation[]>("GET", `${path}/evaluations`),
  ]);
  return { job, allocations, deployment, evaluations, checks };
}
