import type { Redis } from "ioredis";
import { queueOn } from "./connection.ts";
import { queueNames, queues } from "./definitions.ts";
import type { Group, QueueName } from "./definitions.ts";

export type QueueDepth = {
  queue: QueueName;
  group: Group;
  waiting: number;
  active: number;
  /** Postponed, between two attempts, or waiting for the clock. */
  delayed: number;
  dead: number;
  /** Age of the job that has waited longest, or null where none waits. */
  oldestMs: number | null;
};

/** How full the queues are, in the order of the definitions. */
export function queueDepths(redis: Redis, names: readonly QueueName[] = queueNames): Promise<QueueDepth[]> {
  return Promise.all(names.map((name) => depthOf(redis, name)));
}

async function depthOf(redis: Redis, name: QueueName): Promise<QueueDepth> {
  const queue = await queueOn(redis, name);
  const [counts, heads] = await Promise.all([
    queue.getJobCounts("waiting", "prioritized", "active", "delayed", "failed"),
    queue.getJobs(["waiting", "prioritized"], 0, 0, true),
  ]);
  // The first of each line; one may be gone by the time that it is read.
  const since = heads.filter((job) => job !== undefined).map(({ timestamp }) => timestamp);
  const count = (state: string) => counts[state] ?? 0;
  return {
    queue: name,
    group: queues[name].group,
    waiting: count("waiting") + count("prioritized"),
    active: count("active"),
    delayed: count("delayed"),
    dead: count("failed"),
    oldestMs: since.length > 0 ? Math.max(0, Date.now() - Math.min(...since)) : null,
  };
}
