import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { messageOf } from "../../../lib/core/errors.ts";
import { profiles } from "../../../lib/queues/index.ts";
import { callLimitKey } from "../../../lib/calls/limit.ts";
import { commonUsage, runCommand, UsageFault } from "./command.ts";
import type { Change, Settings } from "./command.ts";
import { readCount } from "./job_group.ts";
import { changeLimit } from "./live_limit.ts";
import { changeShards } from "./shards_change.ts";
import { shardGroup } from "./shards_now.ts";
import { scaleStateless } from "./stateless.ts";
import type { Target } from "./target.ts";
import { parseWishes } from "./wishes.ts";
import type { Wishes } from "./wishes.ts";

const usage = `Usage: task scale:plan FILE=PLAN [-- OPTIONS]

Brings the cluster to the size that a file says, in YAML or JSON; what it leaves out stays:

  shards: 3
  api: 2
  workers: { high: 2, default: 1, low: 1 }
  calls: { count: 2, max_concurrent: 80 }

  --drain         when there are to be fewer shards: move the businesses to the others first
${commonUsage}`;

/** Shards that leave are emptied first, while everybody who works for that is there; shards that come are last. */
async function changesFor(target: Target, wish: Wishes, drain: boolean, settings: Settings): Promise<Change[]> {
  const changes: Change[] = [];
  if (wish.api !== undefined)
    changes.push(await scaleStateless(target, { job: "api", group: "api" }, wish.api, settings));
  for (const group of profiles) {
    const count = wish.workers?.[group];
    if (count !== undefined) changes.push(await scaleStateless(target, { job: "workers", group }, count, settings));
  }
  if (wish.calls?.count !== undefined) {
    changes.push(await scaleStateless(target, { job: "calls", group: "calls" }, wish.calls.count, settings));
  }
  if (wish.calls?.max_concurrent !== undefined) {
    changes.push(await changeLimit(target, { key: callLimitKey, title: "calls at once" }, wish.calls.max_concurrent));
  }
  if (wish.shards === undefined) return changes;
  const shards = await changeShards(target, { count: wish.shards, drain, deleteVolume: false }, settings);
  return wish.shards < (await readCount(target, shardGroup)) ? [shards, ...changes] : [...changes, shards];
}

await runCommand({
  name: "scale:plan",
  usage,
  options: {
    file: { type: "string" },
    from: { type: "string", default: "." },
    drain: { type: "boolean", default: false },
  },
  prepare: (values) => {
    if (typeof values.file !== "string" || values.file === "") throw new UsageFault("FILE is missing");
    let wish: Wishes;
    try {
      wish = parseWishes(readFileSync(resolve(String(values.from), values.file), "utf8"));
    } catch (error) {
      throw new UsageFault(`${values.file}: ${messageOf(error)}`);
    }
    return (target, settings) => changesFor(target, wish, values.drain === true, settings);
  },
});
