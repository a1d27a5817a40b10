import { join } from "node:path";
import { sleep } from "../../lib/core/time.ts";
import { diagnose } from "./diagnosis.ts";
import type { Environment } from "./environment.ts";
import { createNomad } from "./nomad.ts";
import type { Allocation, Job } from "./nomad.ts";
import { createProgress, seconds } from "./progress.ts";
import { writeStateFile } from "./state_file.ts";
import { JobFailure } from "./wait.ts";

/** A run may take this long; an index over millions of rows takes minutes. */
const DEADLINE_MS = 30 * 60_000;
const POLL_MS = 300;

/**
 * Dispatches a parameterized job and waits for its exit; throws JobFailure unless that is 0. Does nothing if the last
 * run that succeeded was of the same `release`, which is remembered in the stack's folder beside the data itself.
 */
export async function dispatchOnce(job: string, release: string, environment: Environment): Promise<void> {
  const nomad = createNomad(environment.nomadAddr);
  const progress = createProgress();
  const path = join(environment.stateDir, `${job}.done`);
  const remembered = Bun.file(path);
  if ((await remembered.exists()) && (await remembered.text()) === release) {
    progress.done(`${job.padEnd(12)} nothing new`);
    return;
  }

  const began = performance.now();
  const { DispatchedJobID: id } = await nomad<{ DispatchedJobID: string }>("POST", `/v1/job/${job}/dispatch`, {});
  for (;;) {
    const allocations = await nomad<Allocation[]>("GET", `/v1/job/${encodeURIComponent(id)}/allocations`);
    const elapsed = performance.now() - began;
    const status = allocations[0]?.ClientStatus ?? "not placed yet";
    if (status === "complete") break;
    if (status === "failed" || status === "lost" || elapsed > DEADLINE_MS) {
      throw new JobFailure(`job ${job} did not finish (${status})\n${await diagnose(environment.nomadAddr, id)}`);
    }
    progress.waiting(`${seconds(elapsed)}  ${job}: ${status}`);
    await sleep(POLL_MS);
  }
  await writeStateFile(path, release);
  progress.done(`${job.padEnd(12)} done (${seconds(performance.now() - began)})`);
}

/** The address of the release that a batch job runs. */
export const releaseOfJob = ({ TaskGroups }: Job): string =>
  TaskGroups[0]?.Tasks?.[0]?.Artifacts?.[0]?.GetterSource ?? "";
