import { batches } from "../../stack/jobs.ts";
import { newestRun } from "../../stack/dispatch.ts";
import { judge } from "../../stack/health.ts";
import type { Job } from "../../stack/nomad.ts";
import { releaseName, releaseOf } from "../../stack/release/running.ts";
import { inDeployOrder } from "../../stack/roll_out.ts";
import { planSubmit } from "../../stack/submit.ts";
import type { Planned } from "../../stack/submit.ts";
import { observe } from "../../stack/wait.ts";
import type { Target } from "../scale/target.ts";

/** The change of one job by a deploy or a rollback. */
export type JobPlan = {
  job: string;
  /** "start": the cluster does not run it yet; "resume": its last deployment or run has not succeeded. */
  action: "start" | "change" | "resume" | "none";
  /** The parts that differ, by Nomad's names. Never their values, which may be secret. */
  parts: string[];
  /** The allocations of each group, which stay as they are. */
  counts: Record<string, number>;
  /** The release that runs, and the next one; null for a job that runs none of ours. */
  release: { from: string | null; to: string | null };
  /** Nomad's version of the job that runs; null if none does. */
  version: number | null;
};

/** As {@link jobPlanOf}, and whether there is something to resume. */
async function planJob(target: Pick<Target, "nomad" | "consul">, job: Job): Promise<JobPlan> {
  const plan = jobPlanOf(await planSubmit(target.nomad, job));
  if (plan.action !== "none" || (await isDone(target, job))) return plan;
  return { ...plan, action: "resume" };
}

/** True if a job that is registered as it should be has nothing left to do. */
async function isDone({ nomad, consul }: Pick<Target, "nomad" | "consul">, job: Job): Promise<boolean> {
  if (!batches.includes(job.ID)) return judge(await observe(nomad, consul, job.ID)).state === "settled";
  const run = await newestRun(nomad, job.ID);
  // Nomad forgets a run hours after its end.
  return run === null || (run.status === "complete" && run.release === releaseOf(job));
}

const nameOf = (job: Job | null): string | null => {
  const address = job === null ? undefined : releaseOf(job);
  return address === undefined ? null : releaseName(address);
};

export function jobPlanOf({ job, running, changed }: Planned): JobPlan {
  const isNew = running === null;
  return {
    job: job.ID,
    action: isNew ? "start" : changed.length > 0 ? "change" : "none",
    parts: changed,
    counts: Object.fromEntries(job.TaskGroups.map(({ Name, Count }) => [Name, Count])),
    release: { from: nameOf(running), to: nameOf(job) },
    version: running?.Version ?? null,
  };
}

/** Plans jobs in the order of a deploy. Changes nothing. */
export function planJobs(target: Pick<Target, "nomad" | "consul">, jobs: ReadonlyMap<string, Job>): Promise<JobPlan[]> {
  return Promise.all(inDeployOrder(jobs.keys()).map((id) => planJob(target, jobs.get(id)!)));
}

/** More parts than this are counted: a new job file differs in dozens. */
const shownParts = 4;

const describeParts = (parts: readonly string[]): string =>
  parts.length <= shownParts
    ? parts.join(", ")
    : `${parts.slice(0, shownParts).join(", ")} and ${parts.length - shownParts} more`;

const describeRelease = ({ from, to }: JobPlan["release"]): string =>
  to === null ? "" : from === to || from === null ? `release ${to}` : `release ${from} → ${to}`;

/** "count 3", "counts high 1, low 2". */
function describeCounts({ job, counts }: JobPlan): string {
  const groups = Object.entries(counts);
  if (groups.length === 1) return `count ${groups[0]![1]}`;
  return `counts ${groups.map(([group, count]) => (group === job ? `${count}` : `${group} ${count}`)).join(", ")}`;
}

/** One line about a job: "workers  release 0a1b → 2c3d; counts high 1, low 2 kept; differs in …". */
export function describePlan(plan: JobPlan): string {
  const { job, action, parts } = plan;
  const isBatch = batches.includes(job);
  const said = [describeRelease(plan.release)];
  if (action === "start") said.push(isBatch ? "new" : `starts with ${describeCounts(plan)}`);
  if (action === "resume" && !isBatch) said.push("is registered, and not healthy yet");
  if (action === "change") said.push(...(isBatch ? [] : [`${describeCounts(plan)} kept`]));
  if (parts.length > 0) said.push(`differs in ${describeParts(parts)}`);
  if (job === "migrate") said.push("dispatched and awaited");
  if (job === "indexer") said.push("dispatched, not awaited");
  return `${job.padEnd(16)} ${said.filter((one) => one !== "").join("; ")}`;
}
