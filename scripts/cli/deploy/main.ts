import { resolve } from "node:path";
import { prepareSettings, prepareShards, prepareVolumes } from "../../stack/deploy.ts";
import type { Environment } from "../../stack/environment.ts";
import { allJobs } from "../../stack/jobs.ts";
import { ensureRelease } from "../../stack/release/ensure.ts";
import { rollOut } from "../../stack/roll_out.ts";
import { retireSecrets } from "../../stack/secrets.ts";
import { requireValidSettings } from "../../stack/settings/apply.ts";
import { environmentOfStack } from "../../stack/stack_file.ts";
import { jobVariables } from "../../stack/variables.ts";
import { taskVariable } from "../arguments.ts";
import { HttpFailure } from "../operator/http.ts";
import { runScaleCommand, scaleCommand } from "../scale/command.ts";
import type { Change } from "../scale/command.ts";
import { ScaleFailure } from "../scale/failure.ts";
import type { Target } from "../scale/target.ts";
import { rolloverChange } from "./change.ts";
import { recordReleases } from "./record_releases.ts";
import { parseJobs, readReleaseFile, readWantedJobs, releasesFor, runningJobsOf } from "./wanted_jobs.ts";
import type { Variables } from "./wanted_jobs.ts";

type Options = {
  /** Those that JOB names. */
  jobs: readonly string[];
  release: string | undefined;
  yes: boolean;
  deadlineMs: number;
};

const command = scaleCommand(
  "deploy",
  "[JOB=api,calls]",
  `Deploy the job files of this checkout, and a release, to a cluster; counts stay as they are.

Shows the plan of each job first and asks. Then come data services, the schema (migrate is awaited,
indexes are not), and the services, consumers before producers. Each stage waits for the deployments
of the one before. Shards are replaced one after the other, each once the sessions of the one before
are open again. Verifies that every allocation is healthy on its release. Stops at the first failure.

Without --release, a stack that scripts/up made gets a release of this checkout; on another cluster
jobs keep the release that they run. Variables of the job files come from NOMAD_VAR_<name>, which
the file of --release may set too. Without JOB: every job of the stack, or those that the cluster
runs. A job that does not run yet is started if JOB names it.`,
)
  .addOption(
    taskVariable("--jobs <list>")
      .argParser(parseJobs)
      .default([] as string[]),
  )
  .addOption(taskVariable("--from <folder>").default("."))
  .option("--release <file>", "the addresses that task release printed")
  .option("--yes", "ask nothing", false);

await runScaleCommand(command, ({ jobs, from, release, yes }) => async (target, { deadlineMs }) => {
  const options = { jobs, release: release === undefined ? undefined : resolve(from, release), yes, deadlineMs };
  const environment = environmentOfStack(target.stack);
  try {
    return [
      environment === null ? await deployToCluster(target, options) : await deployToStack(target, environment, options),
    ];
  } catch (error) {
    if (!(error instanceof HttpFailure) || error.status !== 403) throw error;
    throw new ScaleFailure(
      `The token in NOMAD_TOKEN does not suffice (${error.message}). A deploy compares settings and secrets with ` +
        "those that run: use an operator's token (nomad/policies/operator.hcl).",
    );
  }
});

/** A cluster that `up` did not make: its settings, secrets and variables are the operator's. */
async function deployToCluster(target: Target, { jobs, release, yes, deadlineMs }: Options): Promise<Change> {
  const given = release === undefined ? {} : await readReleaseFile(release);
  const ids = jobs.length > 0 ? jobs : [...(await runningJobsOf(target.nomad)).keys()];
  if (ids.length === 0)
    throw new ScaleFailure("This cluster runs no job yet: name those of the first deployment, JOB=…");
  const variables = { ...given, ...(await releasesFor(target.nomad, ids, { ...process.env, ...given } as Variables)) };
  const wanted = await readWantedJobs(target.nomad, ids, variables);
  await requireValidSettings(target.nomad, [...wanted.values()]);
  return rolloverChange(target, {
    kind: "deploy",
    jobs: wanted,
    deadlineMs,
    yes,
    run: rollOut,
    prepare: async ({ step, say }) => {
      step("Volumes");
      await prepareVolumes(target.agents, wanted, say);
    },
  });
}

/** A stack of this machine: the same as `scripts/up`, once its agents run. */
async function deployToStack(target: Target, environment: Environment, options: Options): Promise<Change> {
  const { jobs, release, yes, deadlineMs } = options;
  const { nomad } = target;
  const ids = jobs.length > 0 ? jobs : allJobs;
  const built = async (): Promise<Variables> => {
    const releases = await ensureRelease(environment.stateDir, environment.releasesUrl);
    return Object.fromEntries(Object.entries(releases).map(([name, address]) => [`NOMAD_VAR_${name}`, address]));
  };
  const given = release === undefined ? await built() : await readReleaseFile(release);
  const variables = { ...(await jobVariables(environment, {})), ...given, ...(await releasesFor(nomad, ids, given)) };
  const wanted = await readWantedJobs(nomad, ids, variables);
  return rolloverChange(target, {
    kind: "deploy",
    jobs: wanted,
    deadlineMs,
    yes,
    run: async (plan) => {
      await rollOut(plan);
      if (jobs.length === 0) await retireSecrets(nomad);
    },
    prepare: async ({ step, say }) => {
      step("Settings, secrets and volumes");
      await prepareSettings(nomad, environment, say);
      await prepareShards(target.agents, wanted);
      await requireValidSettings(nomad, [...wanted.values()]);
      await prepareVolumes(target.agents, wanted, say);
    },
    finish: () => recordReleases(nomad, environment),
  });
}
