import { sleep } from "../../lib/core/time.ts";
import type { ConsulClient } from "../../lib/consul/client.ts";
import { AppError } from "../../lib/core/errors.ts";
import { HttpFailure, NoAnswer } from "../cli/operator/http.ts";
import { connectConsul } from "./consul.ts";
import { diagnose } from "./diagnosis.ts";
import type { Environment } from "./environment.ts";
import { isStalled, isStranded, judge } from "./health.ts";
import type { Check, Health, Observation } from "./health.ts";
import { createNomad } from "./nomad.ts";
import type { Allocation, Deployment, Evaluation, Job, Nomad } from "./nomad.ts";
import { createProgress, seconds } from "./progress.ts";

/** A job that did not come up, with a diagnosis. */
export class JobFailure extends Error {
  override readonly name = "JobFailure";
}

/** Nomad plans the next allocation within this time after the end of an evaluation. */
const STRANDED_MS = 5_000;
/** A task that restarts this often during the wait does not start. */
const HOPELESS_RESTARTS = 8;
const POLL_MS = 300;

/** Where the cluster's agents are. */
export type Agents = Pick<Environment, "nomadAddr" | "consulAddr">;

export type WaitOptions = {
  /** "serving": everything runs and passes its checks. "settled": and no deployment is running. */
  until: "serving" | "settled";
  /** Of each job, since another of its allocations became healthy: many shards are replaced one after the other. */
  deadlineMs: number;
  /** True to give up at the first allocation that Nomad calls unhealthy; it may try others until its own deadline. */
  endsAtUnhealthy?: boolean;
  /** Jobs that were reported before: waited for, and mentioned only if there is something to wait for. */
  known?: readonly string[];
  /** How long Nomad may leave a deployment without allocations, or a system job half updated, before this steps in. */
  strandedMs?: number;
};

/** Waits for the jobs with visible progress; throws JobFailure with a diagnosis for the first that fails or is late. */
export async function waitForJobs(jobs: readonly string[], environment: Agents, options: WaitOptions): Promise<void> {
  const nomad = createNomad(environment.nomadAddr);
  const consul = connectConsul(environment.consulAddr);
  const progress = createProgress();
  const began = performance.now();
  const waiting = new Set(jobs);
  const restartsAtFirst = new Map<string, number>();
  /** The running deployment of each job. */
  const followed = new Map<string, Deployment>();
  const strandedSince = new Map<string, number>();
  /** The most healthy allocations of each job so far, and since when. */
  const progressed = new Map<string, { healthy: number; at: number }>();
  /** Deployments that were over before this wait began: their failure is not news. */
  const past = new Set<string>();
  for (const id of jobs) {
    const deployment = await nomad<Deployment | null>("GET", `/v1/job/${encodeURIComponent(id)}/deployment`);
    if (deployment && deployment.Status !== "running") past.add(deployment.ID);
  }

  while (waiting.size > 0) {
    const reasons: string[] = [];
    for (const id of waiting) {
      const observation = await observe(nomad, consul, id).catch(whileUnavailable);
      if (observation instanceof Error) {
        if (performance.now() - began > options.deadlineMs)
          throw new JobFailure(`the state of job ${id} is unknown: ${observation.message}`);
        reasons.push(`${id}: ${observation.message}`);
        continue;
      }
      const { job, deployment } = observation;
      const before = followed.get(id);
      if (before !== undefined && before.JobVersion !== job.Version) await requireNoRevert(nomad, id, before);
      if (deployment?.Status === "running" && deployment.JobVersion === job.Version) followed.set(id, deployment);
      const isLeft = isStranded(observation) || isStalled(observation);
      if (!isLeft) strandedSince.delete(id);
      else if (!strandedSince.has(id)) strandedSince.set(id, performance.now());
      else if (performance.now() - strandedSince.get(id)! > (options.strandedMs ?? STRANDED_MS)) {
        await resume(nomad, observation);
        strandedSince.delete(id);
      }
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
      const hopeless =
        restarts - first >= HOPELESS_RESTARTS || (options.endsAtUnhealthy === true && hasUnhealthy(observation));
      const best = progressed.get(id);
      if (best === undefined || health.healthy > best.healthy)
        progressed.set(id, { healthy: health.healthy, at: best === undefined ? began : performance.now() });
      const isLate = performance.now() - progressed.get(id)!.at > options.deadlineMs;
      if (health.state === "failed" || hopeless || isLate) {
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

/** True if an allocation of the running deployment missed its healthy_deadline, or failed. */
const hasUnhealthy = ({ job, allocations, deployment }: Observation): boolean =>
  deployment?.Status === "running" &&
  allocations.some(
    ({ JobVersion, DeploymentStatus }) => JobVersion === job.Version && DeploymentStatus?.Healthy === false,
  );

/** Has Nomad go on with a job that it left. */
async function resume(nomad: Nomad, observation: Observation): Promise<void> {
  const { ID } = observation.job;
  // Nomad goes back to the previous release, which serves again.
  if (isStranded(observation)) await nomad("POST", `/v1/deployment/fail/${observation.deployment!.ID}`);
  else
    await nomad("POST", `/v1/job/${encodeURIComponent(ID)}/evaluate`, {
      JobID: ID,
      EvalOptions: { ForceReschedule: true },
    });
}

/** A failed deployment and the job of the previous release are written at once, so that the job never looks failed. */
async function requireNoRevert(nomad: Nomad, id: string, { ID }: Deployment): Promise<void> {
  const { Status, StatusDescription } = await nomad<Deployment>("GET", `/v1/deployment/${ID}`);
  if (Status === "failed") throw new JobFailure(`job ${id} failed: ${StatusDescription}`);
}

/** Returns the error of an agent that is overloaded or without a leader: the wait goes on. Throws any other. */
function whileUnavailable(error: unknown): Error {
  if (error instanceof NoAnswer || (error instanceof AppError && error.code === "unavailable")) return error;
  if (error instanceof HttpFailure && error.status >= 500) return error;
  throw error;
}

const describe = ({ healthy, wanted, why }: Health) => (wanted === 0 ? why : `${healthy}/${wanted} healthy`);

const countRestarts = (allocations: readonly Allocation[]) =>
  allocations.reduce(
    (sum, { TaskStates }) => sum + Object.values(TaskStates ?? {}).reduce((n, { Restarts }) => n + Restarts, 0),
    0,
  );

/** Reads the state of a job at this moment. */
export async function observe(nomad: Nomad, consul: ConsulClient, id: string): Promise<Observation> {
  const path = `/v1/job/${encodeURIComponent(id)}`;
  const [job, allocations, deployment, evaluations] = await Promise.all([
    nomad<Job>("GET", path),
    nomad<Allocation[]>("GET", `${path}/allocations`),
    nomad<Deployment | null>("GET", `${path}/deployment`),
    nomad<Evaluation[]>("GET", `${path}/evaluations`),
  ]);
  const services = new Set(job.TaskGroups.flatMap(({ Services }) => Services?.map(({ Name }) => Name) ?? []));
  const checks = await Promise.all([...services].map((name) => checksOf(consul, name)));
  return { job, allocations, deployment, evaluations, checks: checks.flat() };
}

type Entry = { Service: { ID: string }; Checks: Check[] };

/**
 * The checks of a service's instances on every node, by the catalog: an agent knows only those of its own node. A
 * check of the node counts for each of its instances.
 */
async function checksOf(consul: ConsulClient, service: string): Promise<Check[]> {
  const { body } = await consul.blockingGet(`/v1/health/service/${encodeURIComponent(service)}`, { index: 0 });
  return (body as Entry[]).flatMap(({ Service, Checks }) =>
    Checks.map((check) => ({ ...check, ServiceID: Service.ID, ServiceName: service })),
  );
}
