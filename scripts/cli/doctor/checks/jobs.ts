import { isStalled, isStranded, judge } from "../../../stack/health.ts";
import type { Observation } from "../../../stack/health.ts";
import type { Allocation } from "../../../stack/nomad.ts";
import { count, duration, error, quoted, warning } from "../finding.ts";
import type { Fault } from "../finding.ts";

export type JobsNow = {
  /** Jobs that every cluster needs, and that this one does not run. */
  missing: readonly string[];
  observations: readonly Observation[];
  /** Unix ms. */
  now: number;
};

/** So many ends within this time are a loop: one end is an accident, and a deploy restarts nothing. */
const loopingEnds = 3;
const loopWithinMs = 10 * 60_000;

export const judgeJobs = ({ missing, observations, now }: JobsNow): Fault[] => [
  ...missing.map((id) => error(`Job ${id} does not run.`, "Deploy it: task deploy, or see nomad/README.md.")),
  ...observations.flatMap((observation) => [...judgeJob(observation), ...judgeRestarts(observation, now)]),
];

function judgeJob(observation: Observation): Fault[] {
  const { ID } = observation.job;
  const logs = `See: nomad job status ${ID}, task logs -- ${ID}`;
  const own = observation.deployment?.JobVersion === observation.job.Version ? observation.deployment : null;
  if (isStranded(observation) || isStalled(observation)) {
    const left = `Nomad left the deployment of job ${ID} halfway and plans nothing.`;
    return [error(left, "Deploy again, which makes Nomad go on: task deploy")];
  }
  const { state, healthy, wanted, why } = judge(observation);
  if (state === "waiting" || state === "failed") {
    const cause = state === "failed" ? `its deployment failed: ${quoted(why)}` : quoted(why);
    return [error(`Job ${ID} has ${healthy} of ${count(wanted, "healthy allocation")}: ${cause}`, logs)];
  }
  if (own === null) return [];
  if (own.Status === "failed") return [warning(`The last deployment of job ${ID} failed: ${describe(own)}`, logs)];
  if (["successful", "cancelled"].includes(own.Status)) return [];
  return [
    warning(`A deployment of job ${ID} is ${own.Status}: ${describe(own)}`, `See: nomad deployment status ${own.ID}`),
  ];
}

const describe = ({ StatusDescription }: { StatusDescription: string }) => quoted(StatusDescription || "no reason");

function judgeRestarts({ job, allocations }: Observation, now: number): Fault[] {
  const recent = (ms: number) => now - ms <= loopWithinMs;
  const restarts = ({ TaskStates }: Allocation) =>
    Object.values(TaskStates ?? {})
      .flatMap(({ Events }) => Events ?? [])
      .filter(({ Type, Time }) => Type === "Restarting" && recent(Time / 1e6)).length;
  const looping = allocations
    .filter(({ DesiredStatus }) => DesiredStatus === "run")
    .map((one) => ({ name: one.Name, id: one.ID.slice(0, 8), ends: restarts(one) }))
    .filter(({ ends }) => ends >= loopingEnds);
  const within = `within ${duration(loopWithinMs)}`;
  const faults = looping.map(({ name, id, ends }) =>
    error(
      `Allocation ${name} (${id}) was restarted ${ends} times or more ${within}.`,
      `See why: task logs -- ${job.ID} --level error, nomad alloc status ${id}`,
    ),
  );
  const failed = allocations.filter(
    ({ ClientStatus, ModifyTime }) => ClientStatus === "failed" && recent((ModifyTime ?? 0) / 1e6),
  );
  for (const [group, all] of Map.groupBy(failed, ({ TaskGroup }) => TaskGroup))
    if (all.length >= loopingEnds) {
      const found = `${all.length} allocations of ${job.ID}/${group} failed ${within}.`;
      faults.push(error(found, `See why: nomad job status ${job.ID}, task logs -- ${job.ID}`));
    }
  return faults;
}
