import type { JobsOptions } from "bullmq";
import { definitionOf } from "./definitions.ts";
import type { QueueName } from "./definitions.ts";

/**
 * Returns BullMQ's options for a job of this queue. BullMQ stores them in every job, so they are short: the worker has
 * the backoff and the retention (worker.ts).
 */
export function jobOptions(queue: QueueName, job: string) {
  const { attempts, yielding = [] } = definitionOf(queue);
  return {
    // BullMQ runs jobs without a priority first.
    ...(yielding.includes(job) ? { priority: 1 } : {}),
    attempts,
    backoff: { type: "custom" },
    // Store no stack traces in Redis; the log has them.
    stackTraceLimit: 0,
  } satisfies JobsOptions;
}
