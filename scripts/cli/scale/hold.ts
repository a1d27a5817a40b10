import { kvGet } from "../../../lib/consul/client.ts";
import {
  autoscalerLockKey,
  controlKey,
  holdOf,
  noControl,
  parseControl,
  parseJob,
  parseScaleStatus,
} from "../../../lib/scaling/index.ts";
import { readJob } from "./job_group.ts";
import type { JobGroup } from "./job_group.ts";
import type { Target } from "./target.ts";

/**
 * The planned action that keeps a running autoscaler from changing `count`; null if there is none, or if it holds the
 * count already. Setting a count does it, also the same one.
 */
export async function planHold(target: Target, { job, group }: JobGroup, count: number): Promise<string | null> {
  const { consul, nomad } = target;
  if (!(await kvGet(consul, autoscalerLockKey))?.session) return null;
  const policy = parseJob(await readJob(target, job)).groups.find((one) => one.group === group)?.policy;
  if (policy === undefined || typeof policy === "string") return null;
  const status = parseScaleStatus(await nomad<unknown>("GET", `/v1/job/${job}/scale`)).get(group);
  const { resumedAt } = parseControl((await kvGet(consul, controlKey))?.value ?? "") ?? noControl;
  const hold = holdOf(status?.events ?? [], { holdMs: policy.holdMs, resumedAt }, Date.now());
  if (hold?.count === count) return null;
  const minutes = Math.round(policy.holdMs / 60_000);
  return `hold it for ${minutes} minutes, or until task autoscale -- --resume: the autoscaler leaves it alone`;
}
