import { orNull } from "../../stack/nomad.ts";
import type { Job } from "../../stack/nomad.ts";
import { secretVersionKey, withSecretVersion } from "../../stack/secret_version.ts";
import { JobFailure, waitForJobs } from "../../stack/wait.ts";
import { ScaleFailure } from "../scale/failure.ts";
import { awaitDeployment, readJob } from "../scale/job_group.ts";
import type { Deadlines } from "../scale/job_group.ts";
import type { Report } from "../scale/report.ts";
import type { Target } from "../scale/target.ts";

export const versionOf = ({ Meta }: Job) => Meta?.[secretVersionKey];

/** The job as it runs; null if it does not. */
export async function runningJob({ nomad }: Pick<Target, "nomad">, id: string): Promise<Job | null> {
  const job = await orNull(nomad<Job>("GET", `/v1/job/${encodeURIComponent(id)}`));
  return job === null || job.Stop ? null : job;
}

/** True if processes of the job have older secrets than its variables. */
export async function isBehind({ nomad }: Pick<Target, "nomad">, job: Job): Promise<boolean> {
  return versionOf(await withSecretVersion(nomad, job)) !== versionOf(job);
}

/**
 * Replaces the allocations of a job by its update block, one at a time, until all have the present secrets. Waits for
 * one that an interrupted command began.
 */
export async function rollOut(target: Target, id: string, report: Report, { deadlineMs }: Deadlines): Promise<void> {
  await awaitDeployment(target, id, report, { deadlineMs });
  const now = await readJob(target, id);
  const job = await withSecretVersion(target.nomad, now);
  if (versionOf(job) !== versionOf(now)) {
    await target.nomad("POST", "/v1/jobs", { Job: job, EnforceIndex: true, JobModifyIndex: now.JobModifyIndex ?? 0 });
  }
  try {
    await waitForJobs([id], target.agents, { until: "settled", deadlineMs, known: [id] });
  } catch (error) {
    throw error instanceof JobFailure ? new ScaleFailure(error.message) : error;
  }
}
