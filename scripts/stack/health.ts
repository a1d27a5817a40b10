import type { Allocation, Deployment, Evaluation, Job, PlacementFailure, TaskGroup } from "./nomad.ts";

/** A check of a service's instance. Nomad's service ids contain the allocation's id. */
export type Check = { ServiceID: string; ServiceName: string; Status: string; Output: string };

/** The state of one job at one moment. */
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
export type Health = {
  state: "waiting" | "serving" | "settled" | "failed";
  healthy: number;
  wanted: number;
  why: string;
};

/** Judges a job that runs. A parameterized job has nothing that runs: it is settled once registered. */
export function judge({ job, allocations, deployment, evaluations, checks }: Observation): Health {
  if (job.ParameterizedJob) return { state: "settled", healthy: 0, wanted: 0, why: "registered" };

  const wantedAllocations = allocations.filter(({ DesiredStatus }) => DesiredStatus === "run");
  const current = wantedAllocations.filter(({ JobVersion }) => JobVersion === job.Version);
  if (job.Type === "system") return judgeSystem(job, wantedAllocations, current, evaluations, checks);
  const healthy = current.filter((allocation) => isServing(allocation, job.TaskGroups, checks));
  const wanted = job.TaskGroups.reduce((sum, { Count }) => sum + Count, 0);
  const counts = { healthy: healthy.length, wanted };

  const own = deployment?.JobVersion === job.Version ? deployment : null;
  const full = job.TaskGroups.every(
    ({ Name, Count }) => healthy.filter(({ TaskGroup }) => TaskGroup === Name).length >= Count,
  );
  if (full && own?.Status === "running")
    return { state: "serving", ...counts, why: "healthy; the deployment goes on watching" };
  // A deployment that failed and whose allocations came good after all is history.
  if (full) return { state: "settled", ...counts, why: "healthy" };
  if (own?.Status === "failed" || own?.Status === "cancelled")
    return { state: "failed", ...counts, why: own.StatusDescription };
  return { state: "waiting", ...counts, why: reasonToWait(job, current, evaluations, checks) };
}

/**
 * A system job runs once on each node of its pool. It is settled when each of its allocations serves with the newest
 * version. Those on nodes that are cut off do not count.
 */
function judgeSystem(
  job: Job,
  wantedAllocations: readonly Allocation[],
  current: readonly Allocation[],
  evaluations: readonly Evaluation[],
  checks: readonly Check[],
): Health {
  const all = newestInReach(wantedAllocations);
  const healthy = current.filter((allocation) => isServing(allocation, job.TaskGroups, checks)).length;
  const counts = { healthy, wanted: Math.max(1, all.length) };
  if (healthy >= counts.wanted) return { state: "settled", ...counts, why: "healthy" };
  return { state: "waiting", ...counts, why: reasonToWait(job, newestInReach(current), evaluations, checks) };
}

/** The newest allocation of each node in reach. Nomad lists one that has failed as wanted beside its replacement. */
function newestInReach(allocations: readonly Allocation[]): Allocation[] {
  const inReach = allocations.filter(({ ClientStatus }) => !["unknown", "lost"].includes(ClientStatus));
  const byNode = Map.groupBy(inReach, ({ NodeID, TaskGroup }) => `${NodeID} ${TaskGroup}`);
  return [...byNode.values()].map((own) => own.reduce((a, b) => (b.CreateIndex > a.CreateIndex ? b : a)));
}

/**
 * True if Nomad left a system job with an older version or a failed allocation on a node, and plans nothing. After a
 * failed deployment it replaces the allocation of one node at each evaluation and requests no further ones (Nomad
 * #28538); it never replaces a failed one by itself (#12023). The allocations of the newest version serve, so that an
 * evaluation takes one more node and no second one.
 */
export function isStalled({ job, allocations, deployment, evaluations, checks }: Observation): boolean {
  if (job.Type !== "system" || !areOver(evaluations)) return false;
  if (deployment?.Status === "running" && deployment.JobVersion === job.Version) return false;
  const all = newestInReach(allocations.filter(({ DesiredStatus }) => DesiredStatus === "run"));
  const isLeft = ({ JobVersion, ClientStatus }: Allocation) => JobVersion !== job.Version || ClientStatus === "failed";
  const left = all.filter(isLeft);
  return left.length > 0 && all.every((one) => left.includes(one) || isServing(one, job.TaskGroups, checks));
}

/**
 * True if a deployment is running without an allocation of one of its groups, and Nomad plans none. A node that is cut
 * off and comes back while canaries start loses both releases: Nomad counts its canaries as lost, and stops allocations
 * of an older version. Nothing happens then until the progress deadline.
 */
export function isStranded({ job, allocations, deployment, evaluations }: Omit<Observation, "checks">): boolean {
  if (job.Type !== "service" || deployment?.Status !== "running" || deployment.JobVersion !== job.Version) return false;
  if (!areOver(evaluations)) return false;
  return job.TaskGroups.some(
    ({ Name, Count }) =>
      Count > 0 && !allocations.some(({ TaskGroup, DesiredStatus }) => TaskGroup === Name && DesiredStatus === "run"),
  );
}

/** True if Nomad has planned all that it knows of. The end of a disconnection may be hours away. */
function areOver(evaluations: readonly Evaluation[]): boolean {
  const isOver = ({ Status, TriggeredBy }: Evaluation) =>
    ["complete", "canceled"].includes(Status) || TriggeredBy === "max-disconnect-timeout";
  return evaluations.length > 0 && evaluations.every(isOver);
}

function isServing(allocation: Allocation, groups: readonly TaskGroup[], checks: readonly Check[]): boolean {
  if (allocation.ClientStatus !== "running") return false;
  const services = groups.find(({ Name }) => Name === allocation.TaskGroup)?.Services ?? [];
  return services.every(({ Name }) => {
    const own = checks.filter(
      ({ ServiceID, ServiceName }) => ServiceName === Name && ServiceID.includes(allocation.ID),
    );
    return own.length > 0 && own.every(({ Status }) => Status === "passing");
  });
}

function reasonToWait(
  job: Job,
  current: readonly Allocation[],
  evaluations: readonly Evaluation[],
  checks: readonly Check[],
): string {
  const unplaced = latest(evaluations)?.FailedTGAllocs;
  if (unplaced && Object.keys(unplaced).length > 0) return `no node fits ${describePlacement(unplaced)}`;
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

/** The newest event, or the one that says what went wrong. */
function lastEvent({ TaskStates, ClientStatus }: Allocation): string {
  const events = Object.values(TaskStates ?? {})
    .flatMap(({ Events }) => Events ?? [])
    .toSorted((a, b) => b.Time - a.Time);
  const told = events.find(({ Type }) => faults.has(Type)) ?? events[0];
  return oneLine(told?.DisplayMessage || told?.Type || ClientStatus);
}

const faults = new Set(["Terminated", "Driver Failure", "Setup Failure", "Failed Artifact Download", "Template"]);

const oneLine = (text: string) => text.replaceAll(/\s+/g, " ").trim().slice(0, 100);
