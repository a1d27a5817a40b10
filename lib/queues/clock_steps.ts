import type { Redis } from "ioredis";
import { queueOn } from "./connection.ts";
import { definitionOf, longestWaitMs } from "./definitions.ts";
import type { QueueName, Schedule } from "./definitions.ts";

/*
 * BullMQ has moments written down by whoever adds a job, from that process's clock. One that was ten minutes fast, or a
 * clock that was set back, leaves jobs for a time that is far off; wake-ups for the same thing are dropped meanwhile,
 * because such a job is still to come. So nobody may wait for longer than is in order, and who does is run now.
 */

/** Clocks that agree agree this well. */
const toleranceMs = 10_000;

/** Jobs that are looked at in one turn; the next one takes the rest. */
const most = 200;

/** Ends the waits of a queue's jobs that are for longer than anybody may wait; returns how many. */
export async function endAbsurdWaits(redis: Redis, name: QueueName, now = Date.now()): Promise<number> {
  const queue = await queueOn(redis, name);
  const latest = now + Math.max(longestWaitMs, definitionOf(name).backoff.maxMs) + toleranceMs;
  // Its scores are moments, times 4,096 for the sake of an order within one.
  const ids = await redis.zrange(queue.toKey("delayed"), latest * 4096, "+inf", "BYSCORE", "LIMIT", 0, most);
  let ended = 0;
  for (const id of ids) {
    const job = await queue.getJob(id);
    // A schedule's own job goes with the schedule.
    if (job === undefined || job.repeatJobKey !== undefined) continue;
    // Somebody else may have been quicker.
    await job.promote().then(
      () => (ended += 1),
      () => {},
    );
  }
  return ended;
}

/** Forgets when a schedule's next run was to be, where that is later than one period from now: it is set anew then. */
export async function forgetAbsurdNextRun(
  redis: Redis,
  name: QueueName,
  { job, everyMs }: Schedule,
  now = Date.now(),
): Promise<boolean> {
  const queue = await queueOn(redis, name);
  const scheduler = await queue.getJobScheduler(job);
  if (scheduler?.next === undefined || scheduler.next <= now + everyMs + toleranceMs) return false;
  return queue.removeJobScheduler(job);
}
