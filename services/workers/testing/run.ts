import type { JobName, Payload, Run } from "../../../lib/queues/index.ts";

/** What a handler is given where a test calls it without a queue: the first run of a job, with all the time there is. */
export function firstRun<J extends JobName>(payload: Payload<J>): Run<J> {
  const never = new AbortController().signal;
  return { jobId: "1", payload, attempt: 1, endsAt: Number.POSITIVE_INFINITY, signal: never, stopping: never };
}
