import { parseArgs } from "node:util";
import { messageOf } from "../../lib/core/errors.ts";
import { sleep } from "../../lib/core/time.ts";
import { bodyOf } from "../../lib/api-client/index.ts";
import { queuesOf } from "../../lib/queues/index.ts";
import type { Profile } from "../../lib/queues/index.ts";
import { decide, noMemory } from "./autoscale/decide.ts";
import type { Memory } from "./autoscale/decide.ts";
import { readPolicies, scaledJob } from "./autoscale/policies.ts";
import type { Policy } from "./autoscale/policies.ts";
import { countOf } from "./command.ts";
import { readCount, setCount } from "./job_group.ts";
import { takeScaleLock } from "./lock.ts";
import { createReport } from "./report.ts";
import { readTarget } from "./target.ts";
import type { Target } from "./target.ts";

const usage = `Usage: task autoscale [-- --apply] [-- OPTIONS]

Keeps as many workers of each group as it takes for no job to wait too long: the scaling blocks of
nomad/jobs/workers.nomad.hcl say how long that is, and between which bounds. Only says what it would do, until --apply.
Runs until Ctrl-C.

  --apply       change counts
  --every-s N   seconds between two looks (10)
  --rounds N    looks, after which it ends
  --json        one JSON object as the last line`;

const { values } = parseArgs({
  options: {
    apply: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    "every-s": { type: "string", default: "10" },
    rounds: { type: "string", default: "1000000000" },
    help: { type: "boolean", short: "h", default: false },
  },
});
if (values.help) {
  console.log(usage);
  process.exit(0);
}
const everyMs = countOf("--every-s", values["every-s"], { min: 1, max: 3_600 }) * 1000;
const rounds = countOf("--rounds", values.rounds, { min: 1, max: 1_000_000_000 });

/** A deployment or another scale command is waited for so long; the next round tries again. */
const deadlineMs = 60_000;

type Look = { group: string; count: number; wanted: number; reason: string };

const say = (line: string) => void process.stderr.write(`${new Date().toISOString()}  ${line}\n`);
const memories = new Map<string, Memory>();
const last = new Map<string, Look>();
const changes: Look[] = [];
let failures = 0;
let stopping = false;
const stop = () => (stopping = true);
process.once("SIGINT", stop).once("SIGTERM", stop);

const target = await readTarget();
let round = 0;
while (round < rounds && !stopping) {
  round += 1;
  try {
    for (const policy of await readPolicies(target)) await look(target, policy);
  } catch (error) {
    failures += 1;
    say(messageOf(error));
  }
  if (round < rounds && !stopping) await sleep(everyMs);
}
if (values.json) console.log(JSON.stringify({ applied: values.apply, rounds: round, failures, groups: [...last.values()], changes }));
process.exit(failures > 0 ? 1 : 0);

async function look(at: Target, { group, ...policy }: Policy): Promise<void> {
  const where = { job: scaledJob, group };
  const count = await readCount(at, where);
  const oldestMs = await oldestOf(at, group as Profile);
  const decision = decide({ ...policy, count, oldestMs }, memories.get(group) ?? noMemory, performance.now());
  const seen = { group, count, wanted: decision.count, reason: decision.reason };
  last.set(group, seen);
  if (decision.count !== count) {
    say(`${group}: ${count} → ${decision.count}: ${decision.reason}${values.apply ? "" : " (not done without --apply)"}`);
    if (values.apply) await apply(at, group, decision.count);
    changes.push(seen);
  }
  // Without --apply too: what is said is what would be done, and when.
  memories.set(group, decision.memory);
}

async function apply(at: Target, group: string, count: number): Promise<void> {
  const lock = await takeScaleLock({
    consul: at.consul,
    command: "autoscale",
    deadlineMs,
    onLost: (holder) => {
      process.stderr.write(`the scale lock was lost to ${holder}: nothing more is changed\n`);
      process.exit(1);
    },
  });
  try {
    await setCount(at, { job: scaledJob, group }, count, createReport(), { deadlineMs });
  } finally {
    await lock.release();
  }
}

/** How long the oldest job of a group's queues has waited, ms. */
async function oldestOf({ api }: Target, group: Profile): Promise<number> {
  const { data } = await bodyOf(api.GET("/v1/admin/queues"));
  const served: readonly string[] = queuesOf(group);
  return Math.max(0, ...data.filter(({ queue }) => served.includes(queue)).map(({ oldest_ms }) => oldest_ms ?? 0));
}
