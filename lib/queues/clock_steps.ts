import type { Redis } from "ioredis";
import { queueOn } from "./connection.ts";
import { definitionOf, maxPostponementMs } from "./definitions.ts";
import type { QueueName, Schedule } from "./definitions.ts";

/*
 * BullMQ stores the due times of jobs by the clock of the process that adds them. If that clock is minutes fast, or is
 * set back later, a job becomes due far in the future, and until then its duplicate wake-ups are dropped. These
 * functions find such jobs and schedules and run them now.
 */

/** Largest difference between two clocks that are in order. */
const toleranceMs = 10_000;

/** Jobs examined per call; the next call takes the rest. */
const maxJobsPerCall = 200;

/** Promotes a queue's delayed jobs that are due later than any valid delay allows. Returns their number. */
export async function promoteMisdatedJobs(redis: Redis, name: QueueName, now = Date.now()): Promise<number> {
  const queue = await queueOn(redis, name);
  const latest = now + Math.max(maxPostponementMs, definitionOf(name).backoff.maxMs) + toleranceMs;
  // BullMQ's scores are milliseconds times 4,096, which leaves room for an order within a millisecond.
  const range = [latest * 4096, "+inf", "BYSCORE", "LIMIT", 0, maxJobsPerCall] as const;
  const ids = await redis.zrange(queue.toKey("delayed"), ...range);
  let ended = 0;
  for (const id of ids) {
    const job = await queue.getJob(id);
    // The job of a schedule is removed with its schedule (resetMisdatedSchedule).
    if (job === undefined || job.repeatJobKey !== undefined) continue;
    // Another process may have promoted it already.
    await job.promote().then(
      () => (ended += 1),
      () => {},
    );
  }
  return ended;
}

/** Removes a schedule whose next run is more than one period away, so that the scheduler's upsert dates it again. */
export async function resetMisdatedSchedule(
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
