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
  /** Postponed, between two attempts, or waiting for the clock. */
  delayed: number;
  dead: number;
  /** How long the first job has been in line, or null where none waits. */
  oldestMs: number | null;
};

/** How full the queues are, in the order of the definitions. */
export function queueDepths(redis: Redis, names: readonly QueueName[] = queueNames): Promise<QueueDepth[]> {
  return answerOf(Promise.all(names.map((name) => depthOf(redis, name))));
}

async function depthOf(redis: Redis, name: QueueName): Promise<QueueDepth> {
  const queue = await queueOn(redis, name);
  const [counts, heads] = await Promise.all([
    queue.getJobCounts("waiting", "prioritized", "active", "delayed", "failed"),
    queue.getJobs(["waiting", "prioritized"], 0, 0, true),
  ]);
  // The first of each line; one may be gone by the time that it is read.
  const now = Date.now();
  const since = heads.filter((job) => job !== undefined).map((job) => inLineSince(job, now));
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

/** A job that ran before does not wait while it runs, nor while it is postponed. */
function inLineSince({ timestamp, processedOn = 0, progress }: Job, now: number): number {
  const { due = 0 } = progress as Partial<Postponed>;
  // One that is called before its time has waited since then at most.
  return Math.max(timestamp, processedOn, due <= now ? due : 0);
}
