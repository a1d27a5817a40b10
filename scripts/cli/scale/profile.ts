import { stateFolder } from "../operator/stack.ts";
import { readJobFile } from "../../stack/job_file.ts";
import type { Allocation, Job, TaskGroup } from "../../stack/nomad.ts";
import { withSecretVersion } from "../../stack/secret_version.ts";
import { keepCounts } from "../../stack/submit.ts";
import { waitForJobs } from "../../stack/wait.ts";
import { groupsOfProfile, profileOf, workersProfiles } from "../../stack/workers_profile.ts";
import type { WorkersProfile } from "../../stack/workers_profile.ts";
import { sleep } from "../../../lib/core/time.ts";
import { taskVariable } from "../arguments.ts";
import { oneOf, runScaleCommand, scaleCommand } from "./command.ts";
import type { Change, Settings } from "./command.ts";
import { ScaleFailure } from "./failure.ts";
import { awaitDeployment, readJob } from "./job_group.ts";
import type { Report } from "./report.ts";
import type { Target } from "./target.ts";

const job = "workers";

const names = (groups: readonly TaskGroup[]) => groups.map(({ Name, Count }) => `${Name} (${Count})`).join(", ");

/** Running and pending allocations of other groups. */
async function leftOver({ nomad }: Target, groups: readonly string[]): Promise<Allocation[]> {
  const all = await nomad<Allocation[]>("GET", `/v1/job/${job}/allocations`);
  return all.filter(
    ({ TaskGroup: group, ClientStatus }) => !groups.includes(group) && ["running", "pending"].includes(ClientStatus),
  );
}

async function changeProfile(target: Target, profile: WorkersProfile, { deadlineMs }: Settings): Promise<Change> {
  const wanted: readonly string[] = groupsOfProfile[profile];
  const now = await readJob(target, job);
  const was = profileOf(now);
  const goes = now.TaskGroups.filter(({ Name }) => !wanted.includes(Name));
  const comes = wanted.filter((name) => !now.TaskGroups.some(({ Name }) => Name === name));
  const isThere = comes.length === 0 && goes.length === 0;
  const fromFile = isThere
    ? null
    : await withSecretVersion(
        target.nomad,
        await readJobFile(job, { stateDir: stateFolder(target.stack.stack) }, { profile }),
      );

  const register = async (report: Report, change: (running: Job) => Job) => {
    await awaitDeployment(target, job, report, { deadlineMs });
    const running = await readJob(target, job);
    await target.nomad("POST", "/v1/jobs", {
      Job: change(running),
      EnforceIndex: true,
      JobModifyIndex: running.JobModifyIndex ?? 0,
    });
  };
  const serving = () => waitForJobs([job], target.agents, { until: "serving", deadlineMs, known: [job] });

  return {
    what:
      was === profile ? `profile of the workers: ${profile}` : `profile of the workers: ${was ?? "mixed"} → ${profile}`,
    plan: isThere
      ? []
      : [
          ...(comes.length > 0
            ? [`start ${names(fromFile!.TaskGroups.filter(({ Name }) => comes.includes(Name)))}, beside the others`]
            : []),
          `end ${names(goes)}, once the new ones are ready`,
        ],
    apply: async (report) => {
      await report.step(`${wanted.join(", ")} run and pass their checks`, async () => {
        if (comes.length > 0) {
          await register(report, (running) => ({
            ...running,
            TaskGroups: [...running.TaskGroups, ...fromFile!.TaskGroups.filter(({ Name }) => comes.includes(Name))],
          }));
        }
        await serving();
      });
      await report.step(`${goes.map(({ Name }) => Name).join(", ")} ended`, async () => {
        await register(report, (running) => keepCounts(fromFile!, running));
        await serving();
        const end = performance.now() + deadlineMs;
        for (let left = await leftOver(target, wanted); left.length > 0; left = await leftOver(target, wanted)) {
          if (performance.now() > end)
            throw new ScaleFailure(
              `${left.map(({ Name }) => Name).join(", ")} did not end; see: nomad job status ${job}`,
            );
          report.waiting(`${left.map(({ Name }) => Name).join(", ")} finish their jobs`);
          await sleep(300);
        }
      });
    },
    state: async () => ({
      [job]: Object.fromEntries((await readJob(target, job)).TaskGroups.map(({ Name, Count }) => [Name, Count])),
    }),
  };
}

await runScaleCommand(
  scaleCommand(
    "scale:profile",
    `PROFILE=${workersProfiles.join("|")}`,
    `Switch between the worker profiles while the workers run.

groups: separate workers for urgent, default and slow work. single: workers that serve every queue.
The new workers are ready before the old ones stop, so no job waits. Deploys keep the profile. New
groups start with the counts of the job files.`,
  ).addOption(taskVariable("--profile <name>").argParser(oneOf("PROFILE", workersProfiles)).makeOptionMandatory()),
  ({ profile }) =>
    async (target, settings) => [await changeProfile(target, profile, settings)],
);
