import { AppError } from "../../lib/core/errors.ts";
import { orNull } from "./nomad.ts";
import type { Deployment, Job, Nomad } from "./nomad.ts";
import { differences } from "./plan_diff.ts";
import type { Diff } from "./plan_diff.ts";
import { withSecretVersion } from "./secret_version.ts";

const path = (id: string) => `/v1/job/${encodeURIComponent(id)}`;

/** Counts belong to the cluster once it has the job: scaling survives every deploy. */
export function keepCounts(job: Job, running: Job): Job {
  const counts = new Map(running.TaskGroups.map(({ Name, Count }) => [Name, Count]));
  return {
    ...job,
    TaskGroups: job.TaskGroups.map((group) => ({ ...group, Count: counts.get(group.Name) ?? group.Count })),
  };
}

/** The job as it would be run now: the file's, with the counts that the cluster has. */
export async function plannedJob(nomad: Nomad, fromFile: Job): Promise<Job> {
  const running = await orNull(nomad<Job>("GET", path(fromFile.ID)));
  return running === null ? fromFile : keepCounts(fromFile, running);
}

/** The changes that the registration of a job would make. */
export type Planned = {
  /** The job with the cluster's counts and the current version of its secrets. */
  job: Job;
  running: Job | null;
  /** The parts that differ; none of a new job, and none where nothing would be registered. */
  changed: string[];
};

/** Compares a job with what the cluster runs. Changes nothing. */
export async function planSubmit(nomad: Nomad, fromFile: Job): Promise<Planned> {
  const running = await orNull(nomad<Job>("GET", path(fromFile.ID)));
  if (running === null) return { job: await withSecretVersion(nomad, fromFile), running, changed: [] };
  if (running.Type !== fromFile.Type)
    return { job: await withSecretVersion(nomad, fromFile), running, changed: ["Type"] };
  const job = await withSecretVersion(nomad, keepCounts(fromFile, running));
  return { job, running, changed: await changesOf(nomad, job, running) };
}

/**
 * Registers a job if it or its secrets differ from what the cluster runs, or if it was stopped. Returns the parts that
 * differ, none of a new job; undefined if nothing was registered.
 * Throws if another command changed the job in between.
 */
export async function submit(nomad: Nomad, fromFile: Job): Promise<string[] | undefined> {
  const { job, running, changed } = await planSubmit(nomad, fromFile);
  if (running === null) {
    await register(nomad, job, null);
    return [];
  }
  if (running.Type !== job.Type) {
    await forget(nomad, running);
    await register(nomad, job, null);
    return changed;
  }
  if (changed.length === 0) {
    await retryFailedDeployment(nomad, running);
    return undefined;
  }
  if (running.Type === "system") await refuseIneligible(nomad, running);
  await register(nomad, job, running);
  return changed;
}

/**
 * Nomad ends the allocation of a changed system job on a node that takes no work, and starts none there (its issue
 * 7253). Services that still run there would lose it: without the pooler they have no database.
 * @throws AppError that names the nodes
 */
async function refuseIneligible(nomad: Nomad, { ID }: Job): Promise<void> {
  type Node = { ID: string; Name: string; Status: string; SchedulingEligibility: string };
  type OnNode = { JobID: string; JobType: string; NodeID: string; ClientStatus: string };
  const [nodes, allocations] = await Promise.all([
    nomad<Node[]>("GET", "/v1/nodes"),
    nomad<OnNode[]>("GET", "/v1/allocations"),
  ]);
  const running = allocations.filter(({ ClientStatus }) => ClientStatus === "running");
  const closed = nodes.filter((node) => {
    if (node.Status !== "ready" || node.SchedulingEligibility === "eligible") return false;
    const here = running.filter(({ NodeID }) => NodeID === node.ID);
    return here.some(({ JobID }) => JobID === ID) && here.some(({ JobType }) => JobType !== "system");
  });
  if (closed.length === 0) return;
  const names = closed.map(({ Name }) => Name).join(", ");
  throw new AppError(
    "conflict",
    `${ID} changes, and ${names} is ineligible but not empty: Nomad would end ${ID} there and start it nowhere. Take ` +
      "the node back (task node:join) or empty it (task node:drain), then run the command again.",
  );
}

async function changesOf(nomad: Nomad, job: Job, running: Job): Promise<string[]> {
  if (running.Stop) return ["Stop"];
  const plan = await nomad<{ Diff: Diff }>("POST", `${path(job.ID)}/plan`, { Job: job, Diff: true });
  return differences(plan.Diff, job, running);
}

async function register(nomad: Nomad, job: Job, running: Job | null): Promise<void> {
  await nomad("POST", "/v1/jobs", { Job: job, EnforceIndex: true, JobModifyIndex: running?.JobModifyIndex ?? 0 });
}

/** Ends a job whose type changed: Nomad refuses to register it with another one. */
async function forget(nomad: Nomad, { ID }: Job): Promise<void> {
  await nomad("DELETE", `${path(ID)}?purge=true`);
}

/** Nomad leaves the allocations of a deployment that it gave up as they are; this has it try again. */
async function retryFailedDeployment(nomad: Nomad, { ID, Version }: Job): Promise<void> {
  const deployment = await nomad<Deployment | null>("GET", `${path(ID)}/deployment`);
  if (deployment?.JobVersion !== Version || deployment?.Status !== "failed") return;
  await nomad("POST", `${path(ID)}/evaluate`, { JobID: ID, EvalOptions: { ForceReschedule: true } });
}
