import type { Redis } from "ioredis";
import { promoteMisdatedJobs, resetMisdatedSchedule } from "./clock_steps.ts";
import { queueOn } from "./connection.ts";
import { jobDefinition, schedules as allSchedules } from "./definitions.ts";
import type { QueueName, Schedule } from "./definitions.ts";
import { jobOptions } from "./job_options.ts";

export type SchedulerOptions = {
  redis: Redis;
  /** Only the schedules of these queues are maintained. */
  served: readonly QueueName[];
  onError: (error: unknown) => void;
  schedules?: readonly Schedule[];
  /**
   * Period at which every process upserts its schedules. A flushed Redis loses them, just when the sweep is needed.
   */
  assertEveryMs?: number;
};

export type Scheduler = { close(): Promise<void> };

/**
 * Maintains schedules in Redis and corrects due times that are too far away (clock_steps.ts). Any number of processes
 * may maintain the same schedules; each still runs once per period.
 */
export function startScheduler({
  redis,
  served,
  onError,
  schedules = allSchedules,
  assertEveryMs = 5_000,
}: SchedulerOptions): Scheduler {
  const kept = schedules.filter(({ job }) => served.includes(jobDefinition(job).queue));

  const assert = async () => {
    for (const queue of served) await promoteMisdatedJobs(redis, queue);
    for (const schedule of kept) {
      const { job, payload, everyMs } = schedule;
      const { queue } = jobDefinition(job);
      await resetMisdatedSchedule(redis, queue, schedule);
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
