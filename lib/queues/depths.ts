import type { Job } from "bullmq";
import type { Redis } from "ioredis";
import { answerOf } from "../redis/errors.ts";
import { queueOn } from "./connection.ts";
import { queueNames, queues } from "./definitions.ts";
import type { Group, QueueName } from "./definitions.ts";
import type { Postponed } from "./run.ts";

export type QueueDepth = {
  queue: QueueName;
  group: Group;
  waiting: number;
  active: number;
  /** Postponed, backing off, or scheduled. */
  delayed: number;
  dead: number;
  /** Age of the oldest waiting job; null if none waits. */
  oldestMs: number | null;
};

/** Reads the depths of the queues, in the order of `names`. */
export function queueDepths(redis: Redis, names: readonly QueueName[] = queueNames): Promise<QueueDepth[]> {
  return answerOf(Promise.all(names.map((name) => depthOf(redis, name))));
}

async function depthOf(redis: Redis, name: QueueName): Promise<QueueDepth> {
  const queue = await queueOn(redis, name);
  const [counts, heads] = await Promise.all([
    queue.getJobCounts("waiting", "prioritized", "active", "delayed", "failed"),
    queue.getJobs(["waiting", "prioritized"], 0, 0, true),
  ]);
  // The head of each list. A worker may take one before it is read; it is then undefined.
  const now = Date.now();
  const since = heads.filter((job) => job !== undefined).map((job) => waitingSince(job, now));
  const count = (state: string) => counts[state] ?? 0;
  return {
    queue: name,
    group: queues[name].group,
    waiting: count("waiting") + count("prioritized"),
    active: count("active"),
    delayed: count("delayed"),
    dead: count("failed"),
    oldestMs: since.length > 0 ? Math.max(0, now - Math.min(...since)) : null,
  };
}

/** Returns when a job began to wait: after it was added, last ran or came due, whichever is latest. */
function waitingSince({ timestamp, processedOn = 0, progress }: Job, now: number): number {
  const { due = 0 } = progress as Partial<Postponed>;
  // An expedited job runs before its due time, so a due time in the future does not count.
  return Math.max(timestamp, processedOn, due <= now ? due : 0);
}
