import { sleep } from "../../../lib/core/time.ts";
import { judge } from "../../stack/health.ts";
import type { Observation } from "../../stack/health.ts";
import { seconds } from "../../stack/progress.ts";
import { releaseName, releaseOf } from "../../stack/release/running.ts";
import { observe } from "../../stack/wait.ts";
import { ScaleFailure } from "../scale/failure.ts";
import type { Target } from "../scale/target.ts";
import type { JobPlan } from "./plan.ts";

export type Verified = { job: string; healthy: number; wanted: number; release: string | null };

/** Consul may list a new allocation a moment after its deployment has succeeded. */
const settleMs = 30_000;
const pollMs = 300;

/** Why a job is not as planned; null if all of its allocations are healthy, in their former number, on the release. */
export function deviation(plan: JobPlan, observation: Observation): string | null {
  const { job } = observation;
  const address = releaseOf(job);
  const release = address === undefined ? null : releaseName(address);
  if (release !== plan.release.to) return `${plan.job} runs release ${release}, not ${plan.release.to}`;
  for (const { Name, Count } of job.TaskGroups) {
    const wanted = plan.counts[Name];
    if (wanted !== undefined && Count !== wanted) return `${plan.job}/${Name} has the count ${Count}, not ${wanted}`;
  }
  const { state, healthy, wanted, why } = judge(observation);
  return state === "settled" ? null : `${plan.job} has ${healthy} of ${wanted} healthy allocations: ${why}`;
}

/** Checks that a job runs as planned. @throws ScaleFailure that says what differs */
export async function verifyJob({ nomad, consul }: Target, plan: JobPlan): Promise<Verified> {
  const end = performance.now() + settleMs;
  for (;;) {
    const observation = await observe(nomad, consul, plan.job);
    const fault = deviation(plan, observation);
    if (fault === null) {
      const { healthy, wanted } = judge(observation);
      return { job: plan.job, healthy, wanted, release: plan.release.to };
    }
    if (performance.now() > end)
      throw new ScaleFailure(`Not as planned after ${seconds(settleMs)}: ${fault}. See: nomad job status ${plan.job}`);
    await sleep(pollMs);
  }
}
