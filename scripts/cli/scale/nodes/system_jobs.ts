import type { Deadlines } from "../job_group.ts";
import type { Report } from "../report.ts";
import type { Target } from "../target.ts";
import { awaitNothing } from "./await.ts";
import type { ClusterNow, NodeNow } from "./cluster_now.ts";
import { readAllocations } from "./read_cluster.ts";

/** Nomad starts a system job within a second of the node's eligibility, if it does so at all. */
const evaluateAfterMs = 10_000;

/** The system jobs that run once on each node of this node's pool. */
export const systemJobsOf = ({ groups }: Pick<ClusterNow, "groups">, { pool }: Pick<NodeNow, "pool">): string[] => [
  ...new Set(
    groups.filter((one) => one.type === "system" && (one.pool === "all" || one.pool === pool)).map(({ job }) => job),
  ),
];

/**
 * Waits until the system jobs run on a node. Nomad may not start them on a node that was drained (its issue 27529):
 * each missing one is evaluated once.
 */
export async function awaitSystemJobs(
  target: Pick<Target, "nomad">,
  node: Pick<NodeNow, "id" | "name">,
  jobs: readonly string[],
  report: Report,
  { deadlineMs }: Deadlines,
  afterMs = evaluateAfterMs,
): Promise<void> {
  const began = performance.now();
  const evaluated = new Set<string>();
  const hint = `See: nomad job status ${jobs.join(" ")}; nomad job eval -force-reschedule JOB.`;
  await awaitNothing(report, { deadlineMs, hint }, async () => {
    const running = (await readAllocations(target)).filter(
      ({ nodeId, status }) => nodeId === node.id && status === "running",
    );
    const missing = jobs.filter((job) => !running.some((one) => one.job === job));
    if (missing.length === 0) return null;
    if (performance.now() - began >= afterMs) {
      for (const JobID of missing.filter((job) => !evaluated.has(job))) {
        await target.nomad("POST", `/v1/job/${encodeURIComponent(JobID)}/evaluate`, {
          JobID,
          EvalOptions: { ForceReschedule: true },
        });
        evaluated.add(JobID);
      }
    }
    return `${missing.join(", ")} does not run on ${node.name}`;
  });
}
