import { sleep } from "../../lib/core/time.ts";
import { diagnose } from "./diagnosis.ts";
import { createNomad } from "./nomad.ts";
import type { Allocation, Job, Nomad } from "./nomad.ts";
import { createProgress, seconds } from "./progress.ts";
import { releaseOf } from "./release/running.ts";
import { JobFailure } from "./wait.ts";

/** A run may take this long: a migration that waits for a long transaction, for example. */
const DEADLINE_MS = 30 * 60_000;
const POLL_MS = 300;

/** A run of a parameterized job: Nomad makes a job of its own for it, and forgets it hours after its end. */
export type Run = { id: string; status: string; release: string | undefined };

type Stub = { ID: string; ParentID: string; JobModifyIndex: number };

const pathOf = (id: string) => `/v1/job/${encodeURIComponent(id)}`;

/** The state of a run: "not placed yet", or that of its allocation. */
async function statusOf(nomad: Nomad, id: string): Promise<string> {
  const [allocation] = await nomad<Allocation[]>("GET", `${pathOf(id)}/allocations`);
  return allocation?.ClientStatus ?? "not placed yet";
}

const hasFailed = (status: string) => status === "failed" || status === "lost";

/** The newest run of a parameterized job that Nomad remembers. */
export async function newestRun(nomad: Nomad, job: string): Promise<Run | null> {
  const stubs = await nomad<Stub[]>("GET", `/v1/jobs?prefix=${encodeURIComponent(`${job}/dispatch-`)}`);
  const newest = stubs
    .filter(({ ParentID }) => ParentID === job)
    .toSorted((a, b) => b.JobModifyIndex - a.JobModifyIndex)[0];
  if (newest === undefined) return null;
  const [spec, status] = await Promise.all([nomad<Job>("GET", pathOf(newest.ID)), statusOf(nomad, newest.ID)]);
  return { id: newest.ID, status, release: releaseOf(spec) };
}

/**
 * Dispatches a parameterized job, unless its newest run is of the release that the job has, and has not failed.
 * Returns the run to wait for; null if that is done.
 */
export async function dispatchOnce(nomad: Nomad, job: string): Promise<string | null> {
  const [parent, newest] = await Promise.all([nomad<Job>("GET", pathOf(job)), newestRun(nomad, job)]);
  if (newest !== null && newest.release === releaseOf(parent) && !hasFailed(newest.status))
    return newest.status === "complete" ? null : newest.id;
  const { DispatchedJobID } = await nomad<{ DispatchedJobID: string }>("POST", `${pathOf(job)}/dispatch`, {});
  return DispatchedJobID;
}

/** Waits for the exit of a run. @throws JobFailure unless its code is 0 */
export async function awaitRun(nomadAddr: string, job: string, id: string): Promise<void> {
  const nomad = createNomad(nomadAddr);
  const progress = createProgress();
  const began = performance.now();
  for (;;) {
    const status = await statusOf(nomad, id);
    const elapsed = performance.now() - began;
    if (status === "complete") break;
    if (hasFailed(status) || elapsed > DEADLINE_MS)
      throw new JobFailure(`job ${job} did not finish (${status})\n${await diagnose(nomadAddr, id)}`);
    progress.waiting(`${seconds(elapsed)}  ${job}: ${status}`);
    await sleep(POLL_MS);
  }
  progress.done(`${job.padEnd(12)} done (${seconds(performance.now() - began)})`);
}
