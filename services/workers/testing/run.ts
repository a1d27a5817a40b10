import type { JobName, Payload, Run } from "../../../lib/queues/index.ts";

/** The first run of a job, without a timeout, for a handler that a test calls without a queue. */
export function firstRun<J extends JobName>(payload: Payload<J>): Run<J> {
  const never = new AbortController().signal;
  return { jobId: "1", payload, attempt: 1, endsAt: Number.POSITIVE_INFINITY, signal: never, stopping: never };
}
