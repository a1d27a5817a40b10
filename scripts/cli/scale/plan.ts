import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { messageOf } from "../../../lib/core/errors.ts";
import { profiles } from "../../../lib/queues/index.ts";
import { callLimitKey } from "../../../lib/calls/limit.ts";
import { taskVariable } from "../arguments.ts";
import { runScaleCommand, scaleCommand } from "./command.ts";
import type { Change, Settings } from "./command.ts";
import { readCount } from "./job_group.ts";
import { maxSessionsOption } from "./max_sessions.ts";
import { changeLimit } from "./live_limit.ts";
import { changeShards } from "./shards_change.ts";
import { shardGroup } from "./shards_now.ts";
import { scaleStateless } from "./stateless.ts";
import type { Target } from "./target.ts";
import { parseWantedSize } from "./wanted_size.ts";
import type { WantedSize } from "./wanted_size.ts";

/** Removed shards are drained first, while every worker still runs; added shards come last. */
async function changesFor(
  target: Target,
  wanted: WantedSize,
  leaving: { drain: boolean; maxSessions: number },
  settings: Settings,
): Promise<Change[]> {
  const changes: Change[] = [];
  if (wanted.api !== undefined)
    changes.push(await scaleStateless(target, { job: "api", group: "api" }, wanted.api, settings));
  for (const group of profiles) {
    const count = wanted.workers?.[group];
    if (count !== undefined) changes.push(await scaleStateless(target, { job: "workers", group }, count, settings));
  }
  if (wanted.calls?.count !== undefined) {
    changes.push(await scaleStateless(target, { job: "calls", group: "calls" }, wanted.calls.count, settings));
  }
  if (wanted.calls?.max_concurrent !== undefined) {
    changes.push(
      await changeLimit(target, { key: callLimitKey, title: "concurrent calls" }, wanted.calls.max_concurrent),
    );
  }
  if (wanted.shards === undefined) return changes;
  const shards = await changeShards(target, { count: wanted.shards, ...leaving, deleteVolume: false }, settings);
  return wanted.shards < (await readCount(target, shardGroup)) ? [shards, ...changes] : [...changes, shards];
}

const command = scaleCommand(
  "scale:plan",
  "FILE=PLAN",
  `Scale the cluster to the size in a YAML or JSON file. Counts that the file omits stay.

  shards: 3
  api: 2
  workers: { high: 2, default: 1, low: 1 }
  calls: { count: 2, max_concurrent: 80 }`,
)
  .addOption(taskVariable("--file <path>").argParser(String).default(""))
  .addOption(taskVariable("--from <folder>").default("."))
  .option("--drain", "when there are fewer shards: move their businesses to other shards first", false)
  .addOption(maxSessionsOption());

await runScaleCommand(command, ({ file, from, drain, maxSessions }) => {
  if (file === "") command.error("error: FILE is missing");
  const wanted = readPlan(from, file);
  return (target, settings) => changesFor(target, wanted, { drain, maxSessions }, settings);
});

function readPlan(from: string, file: string): WantedSize {
  try {
    return parseWantedSize(readFileSync(resolve(from, file), "utf8"));
  } catch (error) {
    return command.error(`error: ${file}: ${messageOf(error)}`);
  }
}
