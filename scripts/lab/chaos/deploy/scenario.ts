import { until } from "../../../../lib/testing/until.ts";
import type { Job } from "../../../stack/nomad.ts";
import { releaseName, releaseOf } from "../../../stack/release/running.ts";
import { judge } from "../../../stack/health.ts";
import { readJobVariables } from "../../../stack/variables.ts";
import { observe } from "../../../stack/wait.ts";
import { rounded } from "../../figures.ts";
import { openSessions, pairMembers } from "../scale/members.ts";
import { endScript, runScript } from "../scale/scripts.ts";
import type { Stage } from "../scale/stage.ts";
import { Talk } from "../scale/talk.ts";
import { makeBadRelease } from "./bad_release.ts";
import type { Fault } from "./bad_release.ts";

/** A bad release of one job. */
export type Case = { job: string; fault: Fault };

const stateless: readonly Fault[] = ["dies at once", "never ready"];

/** The edge last: there is one on this machine, so that its bad release is an outage of a few minutes. */
export const cases: readonly Case[] = [
  ...["workers", "calls", "api"].flatMap((job) => stateless.map((fault) => ({ job, fault }))),
  ...[...stateless, "opens no session" as const].map((fault) => ({ job: "wa-shards", fault })),
  { job: "nginx", fault: "cannot be fetched" },
];

export type DeployPlan = { businesses: number; perMinute: number; cases: readonly Case[] };

export type DeployResult = {
  bad_releases: number;
  /** Jobs that did not go back to their release and counts, or whose deploy did not exit 1. */
  not_reverted: number;
  revert_s_max: number;
  deploy_s: number;
  rollback_s: number;
  /** Of a good release and of the way back: jobs that ran another release than they should. */
  wrong_releases: number;
  requests: number;
  failed_requests: number;
  messages: number;
  lost: number;
  duplicates: number;
  reordered: number;
};

const settleMs = 120_000;

type Snapshot = { release: string | null; counts: Record<string, number>; state: string };

async function snapshot({ nomad, consul }: Stage, job: string): Promise<Snapshot> {
  const observation = await observe(nomad, consul, job);
  return {
    release: nameOf(observation.job),
    counts: Object.fromEntries(observation.job.TaskGroups.map(({ Name, Count }) => [Name, Count])),
    state: judge(observation).state,
  };
}

function nameOf(job: Job): string | null {
  const address = releaseOf(job);
  return address === undefined ? null : releaseName(address);
}

/** Counts that no job file has, so that a lost count shows. */
export async function scaleAway(stage: Stage): Promise<void> {
  await runScript(stage, "api", ["--count", "3"]);
  await runScript(stage, "workers", ["--group", "high", "--count", "2"]);
}

/** Deploys a bad release; returns what is wrong afterwards, and the seconds until the job was back. */
export async function deployBadRelease(
  stage: Stage,
  { job, fault }: Case,
): Promise<{ faults: string[]; tookS: number }> {
  const before = await snapshot(stage, job);
  const file = await makeBadRelease(stage.state, job, fault);
  const { code, stdout, seconds } = await endScript(stage, "deploy", ["--jobs", job, "--release", file, "--yes"]);
  const after = await snapshot(stage, job);
  const faults: string[] = [];
  if (code !== 1) faults.push(`task deploy exited ${code}`);
  if (!stdout.includes("On the release before, with their counts")) faults.push("it does not name the way back");
  if (!Bun.deepEquals(after, before)) faults.push(`${JSON.stringify(before)} became ${JSON.stringify(after)}`);
  return { faults, tookS: seconds };
}

/** Deploys the same programs under another address, and goes back. Returns the jobs with a wrong release. */
export async function deployAndGoBack(
  stage: Stage,
  jobs: readonly string[],
): Promise<{ wrong: string[]; deployS: number; rollbackS: number }> {
  const addresses = await readJobVariables(stage.state);
  const file = `${stage.state}/next-release.env`;
  // The server ignores the query, and releases are named by their files.
  const lines = Object.entries(addresses)
    .filter(([name]) => name.endsWith("_release"))
    .map(([name, address]) => `${name}='${address}&deploy=${Date.now()}'`);
  await Bun.write(file, `${lines.join("\n")}\n`);
  const before = await versionsOf(stage, jobs);
  const deployed = await endScript(stage, "deploy", ["--jobs", jobs.join(), "--release", file, "--yes"]);
  const between = await versionsOf(stage, jobs);
  const back = await endScript(stage, "rollback", ["--jobs", "", "--yes"]);
  const after = await versionsOf(stage, jobs);
  const wrong = jobs.filter((_, index) => before[index] === between[index] || before[index] !== after[index]);
  for (const { code, stderr } of [deployed, back]) if (code !== 0) stage.say(stderr);
  return {
    wrong: deployed.code === 0 && back.code === 0 ? wrong : [...jobs],
    deployS: deployed.seconds,
    rollbackS: back.seconds,
  };
}

const versionsOf = ({ nomad }: Stage, jobs: readonly string[]) =>
  Promise.all(jobs.map(async (job) => releaseOf(await nomad<Job>("GET", `/v1/job/${job}`))));

/** Deploys bad releases, a good one and its rollback, while businesses and their contacts write to each other. */
export async function deployWhileTalking(stage: Stage, plan: DeployPlan): Promise<DeployResult> {
  const { say } = stage;
  const members = await pairMembers(stage, plan.businesses);
  await scaleAway(stage);
  const talk = new Talk(stage, members, plan.perMinute);
  talk.start();
  let notReverted = 0;
  let slowest = 0;
  const deploy = async (one: Case) => {
    const { faults, tookS } = await deployBadRelease(stage, one);
    slowest = Math.max(slowest, tookS);
    if (faults.length > 0) notReverted += 1;
    say(`${one.job}, ${one.fault}: ${faults.length === 0 ? "reverted" : faults.join("; ")} (${tookS.toFixed(0)} s)`);
  };
  for (const one of plan.cases) if (one.job !== "nginx") await deploy(one);
  const jobs = [...new Set(plan.cases.map(({ job }) => job))].filter((job) => job !== "nginx");
  const { wrong, deployS, rollbackS } = await deployAndGoBack(stage, jobs);
  say(`a good release of ${jobs.join(", ")}: ${deployS.toFixed(0)} s, and back: ${rollbackS.toFixed(0)} s`);
  await talk.stop();
  await until(async () => (await openSessions(stage, members)) === members.length, {
    deadlineMs: settleMs,
    what: "every session to be open",
    everyMs: 500,
  });
  const { lost, duplicates, foreign, disordered } = await talk.compare(settleMs);
  for (const one of plan.cases) if (one.job === "nginx") await deploy(one);
  return {
    bad_releases: plan.cases.length,
    not_reverted: notReverted,
    revert_s_max: rounded(slowest, 1),
    deploy_s: rounded(deployS, 1),
    rollback_s: rounded(rollbackS, 1),
    wrong_releases: wrong.length,
    requests: talk.requests,
    failed_requests: talk.failures.length,
    messages: talk.messages,
    lost,
    duplicates: duplicates + foreign,
    reordered: disordered,
  };
}

/** Counts that must be 0. */
export const faultsOf = ({
  not_reverted,
  wrong_releases,
  failed_requests,
  lost,
  duplicates,
  reordered,
}: DeployResult) => ({ not_reverted, wrong_releases, failed_requests, lost, duplicates, reordered });
