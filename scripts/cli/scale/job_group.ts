import { z } from "zod";
import { sleep } from "../../../lib/core/time.ts";
import { nameOf } from "../../../lib/scaling/index.ts";
import { HttpFailure } from "../operator/http.ts";
import { orNull } from "../../stack/nomad.ts";
import type { Allocation, Deployment, Job, TaskGroup } from "../../stack/nomad.ts";
import { seconds } from "../../stack/progress.ts";
import { JobFailure, waitForJobs } from "../../stack/wait.ts";
import { ScaleFailure } from "./failure.ts";
import type { Report } from "./report.ts";
import type { Target } from "./target.ts";

/** A group of a job, such as "high" of "workers". */
export type JobGroup = { job: string; group: string };

export type Deadlines = { deadlineMs: number };

const pollMs = 300;
const path = (job: string) => `/v1/job/${encodeURIComponent(job)}`;

/** The job's specification. @throws ScaleFailure if it is missing or stopped */
export async function readJob({ nomad }: Pick<Target, "nomad">, job: string): Promise<Job> {
  const found = await orNull(nomad<Job>("GET", path(job)));
  if (found === null || found.Stop) throw new ScaleFailure(`The job ${job} does not run; start it with ./scripts/up.`);
  return found;
}

/** The group's specification. */
export async function readGroup(target: Pick<Target, "nomad">, { job, group }: JobGroup): Promise<TaskGroup> {
  const found = await readJob(target, job);
  const known = found.TaskGroups.find(({ Name }) => Name === group);
  if (known === undefined) {
    const there = `it has ${found.TaskGroups.map(({ Name }) => Name).join(", ")}`;
    const hint = job === "workers" ? " (task scale:profile PROFILE=groups|single switches between the profiles)" : "";
    throw new ScaleFailure(`The job ${job} has no group "${group}"; ${there}${hint}.`);
  }
  return known;
}

/** The requested number of allocations. */
export const readCount = async (target: Pick<Target, "nomad">, where: JobGroup): Promise<number> =>
  (await readGroup(target, where)).Count;

/** Why Nomad would refuse the count: it is outside the bounds of the scaling block. */
export function refusalOf({ Scaling: bounds }: TaskGroup, where: JobGroup, count: number): string | undefined {
  if (!bounds || (count >= bounds.Min && count <= bounds.Max)) return undefined;
  return (
    `The scaling block of ${nameOf(where)} allows ${bounds.Min} to ${bounds.Max}, not ${count}: ` +
    `deploy nomad/platform/${where.job}.nomad.hcl with another -var max=…`
  );
}

const allocationName = z.string().regex(/\[\d+\]$/);

/** The index in an allocation's name: `wa-shards.shard[2]` is 2. */
export const indexOf = ({ Name }: Pick<Allocation, "Name">): number =>
  Number(/\[(\d+)\]$/.exec(allocationName.parse(Name))![1]);

/** Allocations that should run. */
export async function wantedAllocations(
  { nomad }: Pick<Target, "nomad">,
  { job, group }: JobGroup,
): Promise<Allocation[]> {
  const all = await nomad<Allocation[]>("GET", `${path(job)}/allocations`);
  return all.filter(({ TaskGroup, DesiredStatus }) => TaskGroup === group && DesiredStatus === "run");
}

/** Waits for the end of a running deployment, during which Nomad refuses to scale. */
export async function awaitDeployment(
  { nomad }: Target,
  job: string,
  report: Report,
  { deadlineMs }: Deadlines,
): Promise<void> {
  const began = performance.now();
  for (;;) {
    const deployment = await nomad<Deployment | null>("GET", `${path(job)}/deployment`);
    if (deployment === null || ["successful", "failed", "cancelled"].includes(deployment.Status)) return;
    const elapsed = performance.now() - began;
    const what = `deployment ${deployment.ID.slice(0, 8)} of ${job} is ${deployment.Status}`;
    if (elapsed > deadlineMs)
      throw new ScaleFailure(`Gave up after ${seconds(elapsed)}: ${what}. Run the command again when it has ended.`);
    report.waiting(`${seconds(elapsed)}  ${what}; waiting for it to end`);
    await sleep(pollMs);
  }
}

/** Sets the count after any running deployment. */
export async function setCount(
  target: Target,
  where: JobGroup,
  count: number,
  report: Report,
  deadlines: Deadlines,
): Promise<void> {
  const end = performance.now() + deadlines.deadlineMs;
  for (;;) {
    await awaitDeployment(target, where.job, report, { deadlineMs: Math.max(0, end - performance.now()) });
    try {
      await target.nomad("POST", `${path(where.job)}/scale`, {
        Target: { Group: where.group },
        Count: count,
        Message: `task scale: ${nameOf(where)} to ${count}`,
      });
      return;
    } catch (error) {
      // Another deployment started in between.
      const another = error instanceof HttpFailure && error.status === 400 && /deployment/i.test(error.message);
      if (!another || performance.now() > end) throw error;
      await sleep(pollMs);
    }
  }
}

/**
 * Waits until exactly `count` allocations run and pass their checks and all others have ended. "settled" waits for
 * the end of the deployment too.
 */
export async function awaitCount(
  target: Target,
  where: JobGroup,
  count: number,
  report: Report,
  { until, deadlineMs }: Deadlines & { until: "serving" | "settled" },
): Promise<void> {
  const began = performance.now();
  try {
    await waitForJobs([where.job], target.agents, { until, deadlineMs, known: [where.job] });
  } catch (error) {
    if (error instanceof JobFailure) throw new ScaleFailure(error.message);
    throw error;
  }
  for (;;) {
    const all = await target.nomad<Allocation[]>("GET", `${path(where.job)}/allocations`);
    const alive = all.filter(
      ({ TaskGroup, ClientStatus }) => TaskGroup === where.group && ["running", "pending"].includes(ClientStatus),
    );
    if (alive.length === count) return;
    const elapsed = performance.now() - began;
    const what = `${alive.length} of ${nameOf(where)} are alive, ${count} requested`;
    if (elapsed > deadlineMs) throw new ScaleFailure(`Gave up after ${seconds(elapsed)}: ${what}.`);
    report.waiting(`${seconds(elapsed)}  ${what}`);
    await sleep(pollMs);
  }
}
