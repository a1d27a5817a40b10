import { batches } from "../../stack/jobs.ts";
import type { Deployment, Job } from "../../stack/nomad.ts";
import { JobFailure, waitForJobs } from "../../stack/wait.ts";
import type { Report } from "../scale/report.ts";
import type { Target } from "../scale/target.ts";
import { planJobs } from "./plan.ts";
import type { JobPlan } from "./plan.ts";

/** Nomad's way back takes as long as a deployment: a start, and the time for which it must stay healthy. */
const revertWithinMs = 180_000;

/** The jobs that a failed deploy left behind. */
export type Aftermath = {
  /** Those that run as planned. */
  kept: string[];
  /** Those that run as before: Nomad reverted them, or their stage was not reached. */
  former: string[];
  /** Those that were registered as planned and are not healthy. */
  broken: string[];
};

/** Sorts the jobs that a deploy was to change by their plans after it. */
export function sortAftermath(planned: readonly JobPlan[], after: readonly JobPlan[]): Aftermath {
  const actionOf = new Map(after.map(({ job, action }) => [job, action]));
  const by = (...actions: JobPlan["action"][]) =>
    planned.map(({ job }) => job).filter((job) => actions.includes(actionOf.get(job) ?? "start"));
  return { kept: by("none"), former: by("change", "start"), broken: by("resume") };
}

const sentence = (start: string, jobs: readonly string[]) =>
  jobs.length === 0 ? [] : [`${start}: ${jobs.join(", ")}.`];

/** Describes the state that a failed deploy left, and the next step. */
export function describe(kind: "deploy" | "rollback", { kept, former, broken }: Aftermath): string {
  const failed = [...broken, ...former][0] ?? "JOB";
  return [
    ...sentence(`The ${kind} stopped. On the release before, with their counts`, former),
    ...sentence("Changed and healthy", kept),
    ...sentence("Changed and not healthy, as Nomad has no way back for them", broken),
    `Read why: task logs -- ${failed} --level error, nomad job status ${failed}. Then correct it and run the command ` +
      `again${kind === "deploy" ? ", or take back what was changed with task rollback" : ""}.`,
  ].join("\n");
}

/**
 * Ends the deployments of jobs that do not become healthy, so that Nomad goes back at once and not at their deadline.
 * Nothing happens to a job that has no way back.
 */
async function endDeployments({ nomad }: Target, jobs: readonly string[]): Promise<void> {
  for (const job of jobs) {
    const deployment = await nomad<Deployment | null>("GET", `/v1/job/${encodeURIComponent(job)}/deployment`);
    if (deployment?.Status === "running") await nomad("POST", `/v1/deployment/fail/${deployment.ID}`);
  }
}

/** Waits until Nomad has gone back to the release before, and says where each job is then. */
export async function describeAftermath(
  target: Target,
  { kind, jobs }: { kind: "deploy" | "rollback"; jobs: ReadonlyMap<string, Job> },
  planned: readonly JobPlan[],
  failure: string,
  report: Report,
): Promise<string> {
  const running = planned.map(({ job }) => job).filter((job) => !batches.includes(job));
  const plansNow = () => planJobs(target, jobs);
  await endDeployments(target, sortAftermath(planned, await plansNow()).broken);
  const { former } = sortAftermath(planned, await plansNow());
  const reverted = running.filter((job) => former.includes(job));
  report.waiting(`${failure.split("\n")[0]}; waiting until ${reverted.join(", ")} is healthy on the release before`);
  try {
    await waitForJobs(reverted, target.agents, { until: "settled", deadlineMs: revertWithinMs, known: reverted });
  } catch (error) {
    if (!(error instanceof JobFailure)) throw error;
    report.done(error.message.split("\n")[0]!);
  }
  return `${failure}\n${describe(kind, sortAftermath(planned, await plansNow()))}`;
}
