import { taskProcesses } from "../../cluster/tasks.ts";
import type { ClusterNode } from "../../cluster/layout.ts";
import type { Stage } from "./stage.ts";

/** Jobs that hold state or connections: no cut of up to five minutes may restart them. */
const lasting = ["postgres", "postgres-replica", "redis", "pgbouncer", "nginx", "wa-shards"];

type Running = { job: string; node: string; pid: number };

async function runningOn(stage: Stage, nodes: readonly ClusterNode[], jobs?: readonly string[]): Promise<Running[]> {
  const allocations = await stage.nomad<{ ID: string; JobID: string }[]>("GET", "/v1/allocations");
  const jobOf = new Map(allocations.map(({ ID, JobID }) => [ID, JobID]));
  const processes = await taskProcesses(stage.cluster, nodes);
  return processes.flatMap(({ allocation, node, pid }) => {
    const job = jobOf.get(allocation);
    return job !== undefined && (jobs === undefined || jobs.includes(job)) ? [{ job, node, pid }] : [];
  });
}

/** Lists the processes that ended during `work` on these nodes: of lasting jobs, or of every job. */
export async function endedDuring(
  stage: Stage,
  nodes: readonly ClusterNode[],
  work: () => Promise<void>,
  of: "lasting" | "all" = "lasting",
): Promise<string[]> {
  const jobs = of === "lasting" ? lasting : undefined;
  const before = await runningOn(stage, nodes, jobs);
  if (before.length === 0) throw new Error(`no task runs on ${nodes.map(({ name }) => name).join(", ")}`);
  await work();
  const after = new Set((await runningOn(stage, nodes, jobs)).map(({ pid }) => pid));
  const ended = before.filter(({ pid }) => !after.has(pid));
  for (const { job, node, pid } of ended) stage.say(`${job} on ${node} (pid ${pid}) ended`);
  return ended.map(({ job, node }) => `${job} on ${node}`);
}
