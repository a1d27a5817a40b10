import { createWait } from "../../../cli/operator/wait.ts";
import type { Allocation, Deployment, Job, Nomad } from "../../../stack/nomad.ts";

const path = "/v1/job/calls";
type Group = Omit<Job["TaskGroups"][number], "Tasks"> & {
  Meta?: Record<string, string> | null;
  Tasks: { Name: string; Env: Record<string, string>; KillTimeout: number }[];
};
export type CallsJob = Omit<Job, "TaskGroups"> & { TaskGroups: [Group] };

/** The calls job under Nomad: its allocations and rollouts. */
export function createRollouts(nomad: Nomad) {
  const wait = createWait(300_000);
  const read = () => nomad<CallsJob>("GET", path);
  const running = async (): Promise<Allocation[]> =>
    (await nomad<Allocation[]>("GET", `${path}/allocations`)).filter(
      (allocation) => allocation.ClientStatus === "running",
    );

  return {
    read,
    running,
    /** Registers the job and waits until its deployment is done and the former allocations are stopping. */
    rollOut: async (job: CallsJob): Promise<void> => {
      const before = (await read()).Version!;
      await nomad("POST", "/v1/jobs", { Job: job });
      await wait("the deployment", async () => {
        const { Version: version } = await read();
        const deployment = await nomad<Deployment | null>("GET", `${path}/deployment`);
        if (version === before) return true;
        if (deployment === null || deployment.JobVersion !== version) return false;
        if (deployment.Status === "failed") throw new Error(deployment.StatusDescription);
        return deployment.Status === "successful";
      });
    },
    /** Waits until no allocation of a former version runs. */
    alone: async (): Promise<void> => {
      const { Version: version } = await read();
      await wait("the allocations before to end", async () =>
        (await running()).every((allocation) => allocation.JobVersion === version),
      );
    },
    kill: (allocation: Allocation) =>
      nomad("POST", `/v1/client/allocation/${allocation.ID}/signal`, { Signal: "SIGKILL", Task: "calls" }),
  };
}

/** The job as another release with `replicas`, each of which keeps its calls for `graceS` while it stops. */
export function changed(
  job: CallsJob,
  release: string,
  { replicas, graceS }: { replicas: number; graceS: number },
): CallsJob {
  const [group] = job.TaskGroups;
  const tasks = group.Tasks.map((task) => ({
    ...task,
    Env: { ...task.Env, STOP_GRACE_MS: String(graceS * 1000) },
    // Nanoseconds.
    KillTimeout: (graceS + 30) * 1e9,
  }));
  return { ...job, TaskGroups: [{ ...group, Count: replicas, Meta: { ...group.Meta, release }, Tasks: tasks }] };
}
