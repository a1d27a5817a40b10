import type { JobsOptions } from "bullmq";
import { definitionOf } from "./definitions.ts";
import type { QueueName } from "./definitions.ts";

/**
 * How BullMQ is to treat a job of this queue. It is written into each job and read with it, so it is short: how long the
 * delay between attempts is, and what is kept of a job that has ended, the queue's worker knows.
 */
export function jobOptions(queue: QueueName, job: string) {
  const { attempts, yielding = [] } = definitionOf(queue);
  return {
    // BullMQ takes jobs without a priority first.
    ...(yielding.includes(job) ? { priority: 1 } : {}),
    attempts,
    backoff: { type: "custom" },
    // Redis keeps no stacks: the log has them.
    stackTraceLimit: 0,
  } satisfies JobsOptions;
}
