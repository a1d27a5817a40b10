import { orNull } from "../../stack/nomad.ts";
import type { Job } from "../../stack/nomad.ts";
import { runningJobs } from "../../stack/jobs.ts";
import { secretVersionKey, withSecretVersion } from "../../stack/secret_version.ts";
import { JobFailure, waitForJobs } from "../../stack/wait.ts";
import { runScaleCommand, scaleCommand } from "./command.ts";
import type { Change } from "./command.ts";
import { ScaleFailure } from "./failure.ts";
import { awaitDeployment, readJob } from "./job_group.ts";
import type { Deadlines } from "./job_group.ts";
import type { Target } from "./target.ts";

const versionOf = ({ Meta }: Job) => Meta?.[secretVersionKey];

/** The change of one job; null if it does not run or already has the current secrets. */
async function changeOf(target: Target, id: string, { deadlineMs }: Deadlines): Promise<Change | null> {
  const running = await orNull(target.nomad<Job>("GET", `/v1/job/${id}`));
  if (running === null || running.Stop) return null;
  const wanted = await withSecretVersion(target.nomad, running);
  if (versionOf(wanted) === versionOf(running)) return null;
  return {
    what: `secrets of ${id}`,
    plan: ["replace its allocations by its update block"],
    apply: (report) =>
      report.step(`${id} runs with its current secrets`, async () => {
        await awaitDeployment(target, id, report, { deadlineMs });
        const now = await readJob(target, id);
        const job = await withSecretVersion(target.nomad, now);
        await target.nomad("POST", "/v1/jobs", {
          Job: job,
          EnforceIndex: true,
          JobModifyIndex: now.JobModifyIndex ?? 0,
        });
        try {
          await waitForJobs([id], target.agents, { until: "settled", deadlineMs, known: [id] });
        } catch (error) {
          throw error instanceof JobFailure ? new ScaleFailure(error.message) : error;
        }
      }),
    state: async () => ({ [id]: { secret_version: versionOf(await readJob(target, id)) ?? null } }),
  };
}

await runScaleCommand(
  scaleCommand(
    "secrets:apply",
    "",
    `Roll out changed secrets.

Replaces the allocations of each job whose secrets (Nomad Variables nomad/jobs and nomad/jobs/JOB)
changed since its deploy: one job after the other, by the update block of each. A changed secret
alone restarts nothing. Deploys (./scripts/up) do the same.`,
  ),
  () => async (target, settings) => {
    // Data services before their clients.
    const changes = await Promise.all(runningJobs.map((id) => changeOf(target, id, settings)));
    return changes.filter((change) => change !== null);
  },
);
