import type { JobsOptions } from "bullmq";
import { definitionOf } from "./definitions.ts";
import type { QueueName } from "./definitions.ts";

/** How BullMQ is to treat a job of this queue. The delay between attempts is computed by the queue's worker. */
export function jobOptions(queue: QueueName, job: string) {
  const { attempts, deadLetters, yielding = [] } = definitionOf(queue);
  return {
    // BullMQ takes jobs without a priority first.
    ...(yielding.includes(job) ? { priority: 1 } : {}),
    attempts,
    backoff: { type: "custom" },
    removeOnComplete: true,
    removeOnFail: { count: deadLetters.count, age: deadLetters.ageS },
    stackTraceLimit: 3,
  } satisfies JobsOptions;
}
