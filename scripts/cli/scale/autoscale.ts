import { messageOf } from "../../../lib/core/errors.ts";
import { sleep } from "../../../lib/core/time.ts";
import { bodyOf } from "../../../lib/api-client/index.ts";
import type { Schemas } from "../../../lib/api-client/index.ts";
import { queuesOf } from "../../../lib/queues/index.ts";
import type { Profile } from "../../../lib/queues/index.ts";
import { resultCommand, wholeNumber } from "../arguments.ts";
import { decide, noMemory } from "./autoscale/decide.ts";
import type { Memory } from "./autoscale/decide.ts";
import { readLastChanges, readPolicies, scaledJob } from "./autoscale/policies.ts";
import type { Policy } from "./autoscale/policies.ts";
import { ScaleFailure } from "./failure.ts";
import { readCount, setCount } from "./job_group.ts";
import { takeScaleLock } from "./lock.ts";
import { createReport } from "./report.ts";
import { readTarget } from "./target.ts";
import type { Target } from "./target.ts";

const values = resultCommand(
  "autoscale",
  `Keep as many workers of each group as it takes for no job to wait too long.

The scaling blocks of nomad/platform/workers.nomad.hcl set the longest wait and the bounds of the
counts. Changes counts only with --apply. Runs until Ctrl-C. Several may run: after one of them
changes a count, the others wait for the cooldown. Exits 1 if the last check failed.`,
)
  .option("--apply", "change counts", false)
  .option("--every-s <n>", "seconds between checks", wholeNumber(1, 3_600), 10)
  .option("--rounds <n>", "checks before it exits (default: unlimited)", wholeNumber())
  .parse()
  .opts();
const everyMs = values.everyS * 1000;
const rounds = values.rounds ?? Number.POSITIVE_INFINITY;

/** Longest wait for a deployment or another scale command; the next check decides again. */
const deadlineMs = 2_000;

type Look = { group: string; count: number; wanted: number; reason: string };

const say = (line: string) => void process.stderr.write(`${new Date().toISOString()}  ${line}\n`);
const memories = new Map<string, Memory>();
const last = new Map<string, Look>();
const changes: Look[] = [];
/** The last log line about a pending change of each group, to log it only once. */
const refused = new Map<string, string>();
let failures = 0;
/** The error of the last check, to log it only once. */
let failure: string | null = null;
const stopping = new AbortController();
const stop = () => stopping.abort();
process.once("SIGINT", stop).once("SIGTERM", stop);

const target = await readTarget();
let round = 0;
while (round < rounds && !stopping.signal.aborted) {
  round += 1;
  try {
    await lookAtAll(target);
    if (failure !== null) say("recovered");
    failure = null;
  } catch (error) {
    failures += 1;
    const message = messageOf(error);
    if (message !== failure) say(message);
    failure = message;
  }
  if (round < rounds) await sleep(everyMs, stopping.signal).catch(() => {});
}
if (values.json)
  console.log(JSON.stringify({ applied: values.apply, rounds: round, failures, groups: [...last.values()], changes }));
process.exit(failure === null ? 0 : 1);

async function lookAtAll(at: Target): Promise<void> {
  const [policies, lastChanges, { data: queues }] = await Promise.all([
    readPolicies(at),
    readLastChanges(at),
    bodyOf(at.api.GET("/v1/admin/queues")),
  ]);
  // Forgets the groups of a former profile.
  for (const group of last.keys()) if (!policies.some((policy) => policy.group === group)) last.delete(group);
  for (const policy of policies) {
    const changedMsAgo = lastChanges.get(policy.group) ?? null;
    await look(at, policy, { changedMsAgo, oldestMs: oldestOf(queues, policy.group as Profile) });
  }
}

async function look(
  at: Target,
  { group, ...policy }: Policy,
  now: { changedMsAgo: number | null; oldestMs: number },
): Promise<void> {
  const count = await readCount(at, { job: scaledJob, group });
  const decision = decide({ ...policy, ...now, count }, memories.get(group) ?? noMemory, performance.now());
  const seen = { group, count, wanted: decision.count, reason: decision.reason };
  if (!last.has(group)) say(`${group}: ${count} of ${policy.min} to ${policy.max}: ${decision.reason}`);
  last.set(group, seen);
  if (decision.count !== count) {
    const suffix = values.apply ? "" : " (not done without --apply)";
    const line = `${group}: ${count} → ${decision.count}: ${decision.reason}${suffix}`;
    if (line !== refused.get(group)) say(line);
    refused.set(group, line);
    if (values.apply && !(await applied(at, seen))) return;
    changes.push(seen);
  }
  refused.delete(group);
  // Without --apply too, so that the log shows what would happen and when.
  memories.set(group, decision.memory);
}

/** Sets the count if possible. A deployment or another command is no fault: the next check decides again. */
async function applied(at: Target, seen: Look): Promise<boolean> {
  try {
    return await apply(at, seen);
  } catch (error) {
    if (!(error instanceof ScaleFailure)) throw error;
    say(`${seen.group}: not now: ${error.message}`);
    return false;
  }
}

/** Sets the count; false if another command has changed it since the decision. */
async function apply(at: Target, { group, count, wanted }: Look): Promise<boolean> {
  const lock = await takeScaleLock({
    consul: at.consul,
    command: "autoscale",
    deadlineMs,
    onLost: (holder) => {
      process.stderr.write(`The scale lock was lost to ${holder}; the command stopped changing the cluster.\n`);
      process.exit(1);
    },
  });
  try {
    const where = { job: scaledJob, group };
    const found = await readCount(at, where);
    if (found === count) await setCount(at, where, wanted, createReport(), { deadlineMs });
    else say(`${group}: another command set it to ${found}`);
    return found === count;
  } finally {
    await lock.release();
  }
}

/** Wait of the oldest job in a group's queues, ms. */
function oldestOf(queues: readonly Schemas["Queue"][], group: Profile): number {
  const served: readonly string[] = queuesOf(group);
  return Math.max(0, ...queues.filter(({ queue }) => served.includes(queue)).map(({ oldest_ms }) => oldest_ms ?? 0));
}
