import { batches } from "../../stack/jobs.ts";
import { releaseName, releaseOf } from "../../stack/release/running.ts";
import { rollBack } from "../../stack/roll_out.ts";
import { environmentOfStack } from "../../stack/stack_file.ts";
import { taskVariable, wholeNumber } from "../arguments.ts";
import { runScaleCommand, scaleCommand } from "../scale/command.ts";
import { ScaleFailure } from "../scale/failure.ts";
import { readJob } from "../scale/job_group.ts";
import type { Target } from "../scale/target.ts";
import { rolloverChange } from "./change.ts";
import { readVersions, versionBefore, wasHealthy } from "./history.ts";
import type { Version } from "./history.ts";
import { describeRecord, readRecord } from "./record.ts";
import { recordReleases } from "./record_releases.ts";
import { parseJobs } from "./wanted_jobs.ts";

const command = scaleCommand(
  "rollback",
  "[JOB=api,calls]",
  `Go back to the version of jobs before, which was healthy; counts, settings and secrets stay as they are.

Without JOB, takes back what the last task deploy changed. Shows the plan first and asks. Goes in the
reverse order of a deploy, waits for each deployment, and verifies as task deploy does. The schema and
its indexes stay: a release runs on the schema of the next one.`,
)
  .addOption(
    taskVariable("--jobs <list>")
      .argParser(parseJobs)
      .default([] as string[]),
  )
  .option("--to <version>", "a version of Nomad's (nomad job history JOB), with one JOB", wholeNumber(0))
  .option("--yes", "ask nothing", false);

await runScaleCommand(command, ({ jobs, to, yes }) => async (target, { deadlineMs }) => {
  if (to !== undefined && jobs.length !== 1)
    throw new ScaleFailure("--to needs one job: task rollback JOB=api -- --to 3");
  const wanted = jobs.length === 0 ? await beforeLastDeploy(target) : await versionsBefore(target, jobs, to);
  const environment = environmentOfStack(target.stack);
  return [
    await rolloverChange(target, {
      kind: "rollback",
      jobs: wanted,
      deadlineMs,
      yes,
      run: rollBack,
      ...(environment === null ? {} : { finish: () => recordReleases(target.nomad, environment) }),
    }),
  ];
});

type Versions = Map<string, Version>;

async function versionsBefore({ nomad }: Target, ids: readonly string[], to?: number): Promise<Versions> {
  return new Map(await Promise.all(ids.map(async (id) => [id, await versionBefore(nomad, id, to)] as const)));
}

/** The services that the last deploy changed, as they were before it. */
async function beforeLastDeploy(target: Target): Promise<Versions> {
  const { consul, nomad } = target;
  const record = await readRecord(consul);
  if (record === null) throw new ScaleFailure("There is no record of a deploy: name the jobs, task rollback JOB=api");
  if (record.kind === "rollback" && record.done)
    throw new ScaleFailure(`The last change was the ${describeRecord(record)}: name the jobs, task rollback JOB=api`);
  const wanted: Versions = new Map();
  for (const [id, { from, to, version }] of Object.entries(record.jobs)) {
    if (version === null || batches.includes(id)) continue;
    const address = releaseOf(await readJob(target, id));
    const running = address === undefined ? null : releaseName(address);
    if (running !== from && running !== to)
      throw new ScaleFailure(
        `${id} was changed after the ${describeRecord(record)}: it runs release ${running}. Name the jobs, ` +
          "task rollback JOB=api",
      );
    const known = (await readVersions(nomad, id)).find(({ Version }) => Version === version);
    wanted.set(id, known !== undefined && wasHealthy(known) ? known : await versionBefore(nomad, id));
  }
  return wanted;
}
