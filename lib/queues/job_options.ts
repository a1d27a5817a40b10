import type { JobsOptions } from "bullmq";
import { definitionOf } from "./definitions.ts";
import type { QueueName } from "./definitions.ts";

/** How BullMQ is to treat a job of this queue. The delay between attempts is computed by the queue's worker. */
export function jobOptions(queue: QueueName) {
  const { attempts, deadLetters } = definitionOf(queue);
  return {
    attempts,
    backoff: { type: "custom" },
    removeOnComplete: true,
    removeOnFail: { count: deadLetters.count, age: deadLetters.ageS },
    stackTraceLimit: 3,
  } satisfies JobsOptions;
}
