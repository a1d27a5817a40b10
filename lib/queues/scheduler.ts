import type { Redis } from "ioredis";
import { endAbsurdWaits, forgetAbsurdNextRun } from "./clock_steps.ts";
import { queueOn } from "./connection.ts";
import { jobDefinition, schedules as allSchedules } from "./definitions.ts";
import type { QueueName, Schedule } from "./definitions.ts";
import { jobOptions } from "./job_options.ts";

export type SchedulerOptions = {
  redis: Redis;
  /** Only schedules of these queues are kept. */
  served: readonly QueueName[];
  onError: (error: unknown) => void;
  schedules?: readonly Schedule[];
  /**
   * How often every process writes its schedules again. They live in Redis, and a flushed Redis forgets them: the
   * very moment in which the sweep is needed.
   */
  assertEveryMs?: number;
};

export type Scheduler = { close(): Promise<void> };

/** Keeps schedules in Redis, and waits within bounds. Any number of processes may keep the same ones: each still runs once a period. */
export function startScheduler({
  redis,
  served,
  onError,
  schedules = allSchedules,
  assertEveryMs = 5_000,
}: SchedulerOptions): Scheduler {
  const kept = schedules.filter(({ job }) => served.includes(jobDefinition(job).queue));

  const assert = async () => {
    for (const queue of served) await endAbsurdWaits(redis, queue);
    for (const schedule of kept) {
      const { job, payload, everyMs } = schedule;
      const { queue } = jobDefinition(job);
      await forgetAbsurdNextRun(redis, queue, schedule);
      const client = await queueOn(redis, queue);
      await client.upsertJobScheduler(
        job,
        { every: everyMs },
        { name: job, data: payload, opts: jobOptions(queue, job) },
      );
    }
  };

  let asserting = assert().catch(onError);
  const timer = setInterval(() => {
    asserting = asserting.then(assert).catch(onError);
  }, assertEveryMs);
  return {
    close: async () => {
      clearInterval(timer);
      await asserting;
    },
  };
}
