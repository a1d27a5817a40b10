import { indexOf } from "../../../cli/scale/job_group.ts";
import type { Allocation } from "../../../stack/nomad.ts";
import type { Stage } from "./stage.ts";

export type Known = Pick<Allocation, "ID" | "Name" | "TaskGroup" | "ClientStatus" | "DesiredStatus"> & {
  job: string;
  index: number;
  restarts: number;
};

/** Reads the running tasks and their restarts, before and after each step. */
export async function readTasks({ nomad }: Stage): Promise<Known[]> {
  type Listed = Allocation & { JobID: string; JobType?: string };
  const all = await nomad<Listed[]>("GET", "/v1/allocations?task_states=true");
  return all
    .filter(({ JobID }) => !JobID.includes("/dispatch-"))
    .map((one) => ({
      ID: one.ID,
      Name: one.Name,
      TaskGroup: one.TaskGroup,
      ClientStatus: one.ClientStatus,
      DesiredStatus: one.DesiredStatus,
      job: one.JobID,
      index: indexOf(one),
      restarts: Object.values(one.TaskStates ?? {}).reduce((sum, { Restarts }) => sum + Restarts, 0),
    }));
}

/** Lists restarted tasks, and allocations that ended although the step may not end them. */
export function unneededRestarts(
  before: readonly Known[],
  after: readonly Known[],
  mayEnd: (one: Known) => boolean,
): string[] {
  const later = new Map(after.map((one) => [one.ID, one]));
  return before
    .filter(({ ClientStatus, DesiredStatus }) => ClientStatus === "running" && DesiredStatus === "run")
    .flatMap((one) => {
      const now = later.get(one.ID);
      const restarts = Array.from(
        { length: Math.max(0, (now?.restarts ?? 0) - one.restarts) },
        () => `${one.Name} was restarted`,
      );
      const gone = now?.ClientStatus !== "running" && !mayEnd(one) ? [`${one.Name} ended`] : [];
      return [...restarts, ...gone];
    });
}
