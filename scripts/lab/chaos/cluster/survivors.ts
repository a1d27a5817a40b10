import { taskProcesses } from "../../cluster/tasks.ts";
import type { ClusterNode } from "../../cluster/layout.ts";
import type { Stage } from "./stage.ts";

/** Jobs that hold state or connections: no cut of up to five minutes may restart them. */
const lasting = new Set(["postgres", "postgres-replica", "redis", "pgbouncer", "nginx", "wa-shards"]);

/** Lasting jobs that run on every node of a kind: without them a step would measure nothing. */
const lastingOn = { data: ["postgres", "redis"], platform: ["pgbouncer", "nginx", "wa-shards"] };

export type Running = { job: string; node: string; pid: number };

async function runningOn(stage: Stage, nodes: readonly ClusterNode[]): Promise<Running[]> {
  const allocations = await stage.nomad<{ ID: string; JobID: string }[]>("GET", "/v1/allocations");
  const jobOf = new Map(allocations.map(({ ID, JobID }) => [ID, JobID]));
  const processes = await taskProcesses(stage.cluster, nodes);
  return processes.map(({ allocation, node, pid }) => ({ job: jobOf.get(allocation) ?? allocation, node, pid }));
}

/** Lists lasting jobs that do not run on a node that should have them. */
export function missingFrom(
  running: readonly Running[],
  nodes: readonly { node: string; isData: boolean }[],
): string[] {
  return nodes.flatMap(({ node, isData }) =>
    lastingOn[isData ? "data" : "platform"]
      .filter((job) => !running.some((one) => one.node === node && one.job === job))
      .map((job) => `${job} on ${node}`),
  );
}

/** The processes that ran before and do not run any more: of lasting jobs, or of every job. */
export function endedBetween(
  before: readonly Running[],
  after: readonly Running[],
  of: "lasting" | "all" = "lasting",
): Running[] {
  const left = new Set(after.map(({ node, pid }) => `${node} ${pid}`));
  return before.filter(({ job, node, pid }) => (of === "all" || lasting.has(job)) && !left.has(`${node} ${pid}`));
}

/** Counts the processes that ended during `work` on these nodes. @throws if a node lacks a job that should last */
export async function endedDuring(
  stage: Stage,
  nodes: readonly ClusterNode[],
  work: () => Promise<void>,
  of: "lasting" | "all" = "lasting",
): Promise<number> {
  const before = await runningOn(stage, nodes);
  const kinds = nodes.map((node) => ({ node: node.name, isData: node === stage.data }));
  const missing = missingFrom(before, kinds);
  if (missing.length > 0) throw new Error(`not running before the step: ${missing.join(", ")}`);
  await work();
  const ended = endedBetween(before, await runningOn(stage, nodes), of);
  for (const { job, node, pid } of ended) stage.say(`${job} on ${node} (pid ${pid}) ended`);
  return ended.length;
}
