import { runningJobs } from "../../stack/jobs.ts";
import { runScaleCommand, scaleCommand } from "../scale/command.ts";
import type { Change } from "../scale/command.ts";
import { readJob } from "../scale/job_group.ts";
import type { Deadlines } from "../scale/job_group.ts";
import type { Target } from "../scale/target.ts";
import { isBehind, rollOut, runningJob, versionOf } from "./roll_out.ts";

/** The change of one job; null if it does not run or already has the current secrets. */
async function changeOf(target: Target, id: string, settings: Deadlines): Promise<Change | null> {
  const running = await runningJob(target, id);
  if (running === null || !(await isBehind(target, running))) return null;
  return {
    what: `secrets of ${id}`,
    plan: ["replace its allocations by its update block"],
    apply: (report) => report.step(`${id} runs with its current secrets`, () => rollOut(target, id, report, settings)),
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
