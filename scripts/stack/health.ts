import type { Allocation, Deployment, Evaluation, Job, PlacementFailure, TaskGroup } from "./nomad.ts";

/** A check as Consul's agent lists it. Nomad's service ids contain the allocation's id. */
export type Check = { ServiceID: string; ServiceName: string; Status: string; Output: string };

/** What is known of one job at one moment. */
export type Observation = {
  readonly job: Job;
  readonly allocations: readonly Allocation[];
  readonly deployment: Deployment | null;
  readonly evaluations: readonly Evaluation[];
  readonly checks: readonly Check[];
};

/**
 *   waiting ──▶ serving ──▶ settled      serving: everything runs and passes its checks
 *      │                                 settled: and the deployment that brought it there is over
 *      └──────▶ failed                   failed:  Nomad gave the deployment up
 */
export type Health = { state: "waiting" | "serving" | "settled" | "failed"; healthy: number; wanted: number; why: string };

/** Judges a service job. A parameterized job has nothing that runs: it is settled once registered. */
export function judge({ job, allocations, deployment, evaluations, checks }: Observation): Health {
  if (job.ParameterizedJob) return { state: "settled", healthy: 0, wanted: 0, why: "registered" };

  const current = allocations.filter(({ DesiredStatus, JobVersion }) => DesiredStatus === "run" && JobVersion === job.Version);
  const healthy = current.filter((allocation) => isServing(allocation, job.TaskGroups, checks));
  const wanted = job.TaskGroups.reduce((sum, { Count }) => sum + Count, 0);
  const counts = { healthy: healthy.length, wanted };

  const own = deployment?.JobVersion === job.Version ? deployment : null;
  if (own && (own.Status === "failed" || own.Status === "cancelled")) {
    return { state: "failed", ...counts, why: own.StatusDescription };
  }
  const full = job.TaskGroups.every(({ Name, Count }) => healthy.filter(({ TaskGroup }) => TaskGroup === Name).length >= Count);
  if (!full) return { state: "waiting", ...counts, why: reasonToWait(job, current, evaluations, checks) };
  return !own || own.Status === "successful"
    ? { state: "settled", ...counts, why: "healthy" }
    : { state: "serving", ...counts, why: "the deployment waits until it has been healthy long enough" };
}

function isServing(allocation: Allocation, groups: readonly TaskGroup[], checks: readonly Check[]): boolean {
  if (allocation.ClientStatus !== "running") return false;
  const services = groups.find(({ Name }) => Name === allocation.TaskGroup)?.Services ?? [];
  return services.every(({ Name }) => {
    const own = checks.filter(({ ServiceID, ServiceName }) => ServiceName === Name && ServiceID.includes(allocation.ID));
    return own.length > 0 && own.every(({ Status }) => Status === "passing");
  });
}

function reasonToWait(job: Job, current: readonly Allocation[], evaluations: readonly Evaluation[], checks: readonly Check[]): string {
  const unplaced = latest(evaluations)?.FailedTGAllocs;
  if (unplaced && Object.keys(unplaced).length > 0) return `no place for ${describePlacement(unplaced)}`;
  if (current.length === 0) return "not placed yet";
  for (const allocation of current) {
    const restarts = Object.values(allocation.TaskStates ?? {}).reduce((sum, task) => sum + task.Restarts, 0);
    const event = lastEvent(allocation);
    if (restarts > 0) return `restarted ${restarts} times: ${event}`;
    if (allocation.ClientStatus !== "running") return event;
    const failing = checks.find(({ ServiceID, Status }) => ServiceID.includes(allocation.ID) && Status !== "passing");
    if (failing) return oneLine(failing.Output) || "first health check";
  }
  return `${current.length} allocations of version ${job.Version}`;
}

const latest = (evaluations: readonly Evaluation[]) => evaluations.toSorted((a, b) => b.CreateIndex - a.CreateIndex)[0];

function describePlacement(failures: Record<string, PlacementFailure>): string {
  return Object.entries(failures)
    .map(([group, { ConstraintFiltered, DimensionExhausted, NodesEvaluated }]) => {
      const reasons = Object.keys({ ...ConstraintFiltered, ...DimensionExhausted });
      return `${group}: ${reasons.join(", ") || `${NodesEvaluated} nodes fit`}`;
    })
    .join("; ");
}

function lastEvent({ TaskStates, ClientStatus }: Allocation): string {
  const events = Object.values(TaskStates ?? {}).flatMap(({ Events }) => Events ?? []);
  const last = events.toSorted((a, b) => b.Time - a.Time)[0];
  return oneLine(last?.DisplayMessage || last?.Type || ClientStatus);
}

const oneLine = (text: string) => text.replaceAll(/\s+/g, " ").trim().slice(0, 100);
