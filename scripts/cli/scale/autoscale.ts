import { kvGet, kvPut } from "../../../lib/consul/client.ts";
import {
  autoscalerLockKey,
  controlKey,
  holdOf,
  nameOf,
  noControl,
  parseControl,
  parseHolder,
  parseJob,
  parseScaleStatus,
  scaledJobs,
} from "../../../lib/scaling/index.ts";
import type { Control, ScaledGroup, ScaleStatus } from "../../../lib/scaling/index.ts";
import { requireLeaders } from "../../stack/leaders.ts";
import { orNull } from "../../stack/nomad.ts";
import { resultCommand } from "../arguments.ts";
import { table } from "../operator/table.ts";
import { readTarget } from "./target.ts";
import type { Target } from "./target.ts";

const command = resultCommand(
  "autoscale",
  `Show what the autoscaler does and why, pause it, or give it back the counts that were set by hand.

A count that a command or a person sets is held for an hour: the autoscaler leaves that group alone.
While it is paused, it logs what it would do: task logs -- autoscaler.`,
)
  .option("--pause", "let it decide and log, but change nothing", false)
  .option("--resume", "end the pause, and every hold", false)
  .option("--dry-run", "with --pause or --resume: show the state after it, and change nothing", false);
const { pause, resume, dryRun, json } = command.parse().opts();
if (pause && resume) command.error("error: give --pause or --resume, not both");

type Row = {
  group: string;
  count: number;
  min: number;
  max: number;
  held_until: string | null;
  last_change: { at: string; from: number; to: number; by: "autoscaler" | "command"; reason: string } | null;
  fault: string | null;
};

const target = await readTarget();
await requireLeaders(target.agents);
const jobs = await Promise.all(scaledJobs.map((job) => readJob(target, job)));
const read = jobs.flatMap((groups) => groups);
const before = await kvGet(target.consul, controlKey);
const known = (before && parseControl(before.value)) ?? noControl;
const control = changed(known);
if ((pause || resume) && !dryRun) {
  if (!(await kvPut(target.consul, controlKey, JSON.stringify(control), { cas: before?.modifyIndex ?? 0 })))
    command.error("error: another command changed the autoscaler's state in the meantime; look at it again");
}
const active = await kvGet(target.consul, autoscalerLockKey);
const holder = active?.session ? parseHolder(active.value) : null;
const groups = read.map(({ group, status }) => rowOf(group, status));

if (json) console.log(JSON.stringify({ active: holder, ...control, dry_run: dryRun, groups }));
else {
  console.log(
    holder === null
      ? "No autoscaler is active: nomad job run nomad/platform/autoscaler.nomad.hcl starts it."
      : `Active on ${holder.host} since ${holder.since}${control.paused ? "; paused: it changes nothing" : ""}.`,
  );
  const rows = groups.map((row) => [
    row.group,
    String(row.count),
    `${row.min} to ${row.max}`,
    row.held_until ?? "",
    row.fault ?? (row.last_change === null ? "" : `${row.last_change.at}  ${row.last_change.reason}`),
  ]);
  console.log(table([["GROUP", "COUNT", "BOUNDS", "HELD UNTIL", "LAST CHANGE"], ...rows]));
}

function changed(now: Control): Control {
  if (pause) return { ...now, paused: true };
  if (!resume) return now;
  const indexes = read.flatMap(({ status }) => status.events.map(({ index }) => index));
  return { paused: false, resumedAt: Math.max(now.resumedAt, ...indexes) };
}

async function readJob({ nomad }: Target, job: string): Promise<{ group: ScaledGroup; status: ScaleStatus }[]> {
  const body = await orNull(nomad<unknown>("GET", `/v1/job/${job}`));
  if (body === null) return [];
  const status = parseScaleStatus(await nomad<unknown>("GET", `/v1/job/${job}/scale`));
  return parseJob(body).groups.map((group) => ({
    group,
    status: status.get(group.group) ?? { running: 0, events: [] },
  }));
}

function rowOf(group: ScaledGroup, { events }: ScaleStatus): Row {
  const { policy, count, max } = group;
  const [last] = events;
  const fault = typeof policy === "string" ? policy : null;
  const hold =
    typeof policy === "string"
      ? null
      : holdOf(events, { holdMs: policy.holdMs, resumedAt: control.resumedAt }, Date.now());
  return {
    group: nameOf(group),
    count,
    min: typeof policy === "string" ? group.min : Math.max(group.min, policy.keep),
    max,
    held_until: hold === null ? null : new Date(hold.untilMs).toISOString(),
    last_change:
      last === undefined
        ? null
        : {
            at: new Date(last.at).toISOString(),
            from: last.from,
            to: last.to,
            by: last.isAutomatic ? "autoscaler" : "command",
            reason: last.reason,
          },
    fault,
  };
}
