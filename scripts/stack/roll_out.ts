import { sleep } from "../../lib/core/time.ts";
import { deployStages } from "./deploy_stages.ts";
import type { DeployStages } from "./deploy_stages.ts";
import { awaitRun, dispatchOnce, newestRun } from "./dispatch.ts";
import { acrossElections } from "./elections.ts";
import { allJobs, batches, foundation, pooler, serviceStages } from "./jobs.ts";
import { createNomad, orNull } from "./nomad.ts";
import type { Deployment, Job, Nomad } from "./nomad.ts";
import { submit } from "./submit.ts";
import { waitForJobs } from "./wait.ts";
import type { Agents, WaitOptions } from "./wait.ts";

export type Reporter = {
  /** Begins a part of a deploy. */
  step(title: string): void;
  say(text: string): void;
};

export type RollOutOptions = {
  agents: Agents;
  /** The jobs to register by their ids. Their counts are those of the cluster, where it has the job. */
  jobs: ReadonlyMap<string, Job>;
  /** Of each job, since its last progress. A job that cannot start is given up far earlier. */
  deadlineMs: number;
  endsAtUnhealthy?: WaitOptions["endsAtUnhealthy"];
  report: Reporter;
};

const pollMs = 300;

/** The ids of `ids` in the order of a deploy; jobs of which no stage knows come last. */
export function stagesOf(ids: Iterable<string>): string[][] {
  const chosen = new Set(ids);
  const known = serviceStages.map((stage) => stage.filter((id) => chosen.has(id)));
  const others = [...chosen].filter((id) => !allJobs.includes(id));
  return [...known, others].filter((stage) => stage.length > 0);
}

/** Jobs by their ids; those of a deploy first to last. */
export const inDeployOrder = (ids: Iterable<string>): string[] => {
  const chosen = new Set(ids);
  const first = [...foundation, ...pooler, ...batches].filter((id) => chosen.has(id));
  return [...first, ...stagesOf(chosen).flat()];
};

/**
 * Registers jobs in the stages of a deploy, and waits for each: data services, then the schema, then consumers before
 * producers. Indexes are built beside the deploy: it does not wait for them, as services work without. Registering the
 * same jobs again changes nothing.
 * @throws JobFailure for the first job that does not become healthy; the following stages keep their release.
 */
export async function rollOut(options: RollOutOptions): Promise<void> {
  const { agents, jobs, deadlineMs, report, endsAtUnhealthy = false } = options;
  const nomad = createNomad(agents.nomadAddr);
  const hooks = stagesHooks(options, nomad);
  const chosen = (ids: readonly string[]) => ids.filter((id) => jobs.has(id));
  const data = chosen([...foundation, ...pooler]);
  if (data.length > 0) {
    report.step("Data services");
    for (const id of data) await hooks.register(id);
    await waitForJobs(data, agents, { until: "serving", deadlineMs });
  }
  const runs = chosen(batches);
  if (runs.length > 0) report.step("Schema and indexes");
  for (const id of runs) {
    await hooks.register(id);
    const run = await acrossElections(() => dispatchOnce(nomad, id));
    if (run === null) report.say(`${id.padEnd(12)} nothing new`);
    else if (id === "indexer") report.say(`${id.padEnd(12)} dispatched; the services do not wait for it`);
    else await awaitRun(agents.nomadAddr, id, run);
  }

  const stages = stagesOf(jobs.keys());
  if (stages.length > 0) report.step("Services");
  await deployStages(stages, hooks);
  const running = chosen([...data, ...stages.flat()]);
  const known = [...hooks.reported, ...data];
  await waitForJobs(running, agents, { until: "settled", deadlineMs, endsAtUnhealthy, known });
  if (jobs.has("indexer")) await sayIndexes(nomad, report);
}

/** Goes back: registers the jobs in the stages of a deploy in reverse, so that producers come before consumers. */
export async function rollBack(options: RollOutOptions): Promise<void> {
  const { agents, jobs, deadlineMs, endsAtUnhealthy = false } = options;
  const hooks = stagesHooks(options, createNomad(agents.nomadAddr));
  const data = [...foundation, ...pooler].filter((id) => jobs.has(id));
  await deployStages([...stagesOf(jobs.keys()).toReversed(), ...(data.length > 0 ? [data] : [])], hooks);
  const known = [...hooks.reported];
  await waitForJobs([...jobs.keys()], agents, { until: "settled", deadlineMs, endsAtUnhealthy, known });
}

/** The parts of a deploy that change the cluster; `reported` are the jobs that have settled. */
function stagesHooks(
  { agents, jobs, deadlineMs, endsAtUnhealthy = false, report }: RollOutOptions,
  nomad: Nomad,
): DeployStages & { reported: Set<string> } {
  const reported = new Set<string>();
  return {
    reported,
    runs: async (id) => (await acrossElections(() => orNull(nomad<Job>("GET", `/v1/job/${id}`))))?.Stop === false,
    register: async (id) => {
      await awaitScaling(nomad, id, deadlineMs);
      const changed = await acrossElections(() => submit(nomad, jobs.get(id)!));
      if (changed === undefined) return;
      report.say(`${id.padEnd(12)} registered${changed.length > 0 ? `: ${changed.join(", ")}` : ""}`);
    },
    settle: async (ids) => {
      await waitForJobs(ids, agents, { until: "settled", deadlineMs, endsAtUnhealthy });
      for (const id of ids) reported.add(id);
    },
  };
}

type Versioned = Deployment & { JobID: string };

/**
 * Waits for a deployment that only changed a count: Nomad reverts a bad release to the last version that was healthy,
 * with its counts, and a version whose deployment is cut short never counts as healthy.
 */
async function awaitScaling(nomad: Nomad, id: string, deadlineMs: number): Promise<void> {
  const end = performance.now() + deadlineMs;
  for (;;) {
    const deployment = await acrossElections(() =>
      orNull(nomad<Versioned | null>("GET", `/v1/job/${encodeURIComponent(id)}/deployment`)),
    );
    if (deployment?.Status !== "running" || performance.now() > end) return;
    if (!(await isScaling(nomad, deployment))) return;
    await sleep(pollMs);
  }
}

async function isScaling(nomad: Nomad, { JobID, JobVersion }: Versioned): Promise<boolean> {
  const { Versions } = await nomad<{ Versions: Job[] }>("GET", `/v1/job/${encodeURIComponent(JobID)}/versions`);
  const shapes = [JobVersion, JobVersion - 1].map((version) => Versions.find((one) => one.Version === version));
  const [now, before] = shapes.map((job) => job && job.TaskGroups.map(({ Count: _, ...group }) => group));
  return now !== undefined && before !== undefined && Bun.deepEquals(now, before);
}

/** Says if the indexer is still at work. */
async function sayIndexes(nomad: Nomad, { say }: Reporter): Promise<void> {
  const run = await newestRun(nomad, "indexer");
  if (run === null || run.status === "complete") return;
  say(`indexes are still built (indexer is ${run.status}); see: task indexes`);
}
