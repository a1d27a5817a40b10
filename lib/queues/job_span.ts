import { DelayedError } from "bullmq";
import type { Job } from "bullmq";
import { AppError } from "../core/errors.ts";
import { continueTrace, currentSpan, within } from "../tracing/index.ts";
import type { Payload, JobName, QueueName } from "./definitions.ts";

/** Runs of one job that are traced: a postponed job may wait for days, and asks again all the time. */
const tracedRuns = 5;

/** Runs a job in a span of the trace that its wake-up came from, if that is sampled. */
export async function inJobSpan(queue: QueueName, job: Job, run: () => Promise<void>): Promise<void> {
  const trace = job.attemptsStarted > tracedRuns ? undefined : job.opts.telemetry?.metadata;
  const span = continueTrace(trace, `job ${job.name}`, {
    kind: "consumer",
    attributes: {
      "prosaas.queue": queue,
      "prosaas.job_id": job.id,
      "prosaas.run": job.attemptsStarted,
      "prosaas.wait_ms": (job.processedOn ?? job.timestamp) - job.timestamp,
    },
  });
  try {
    await within(span, run);
    span?.end();
  } catch (error) {
    span?.end(error instanceof DelayedError ? undefined : faultOf(error));
    throw error;
  }
}

/** A payload holds only ids. */
export function tracePayload(payload: Payload<JobName>): void {
  const span = currentSpan();
  if (span === undefined) return;
  for (const [name, value] of Object.entries(payload)) span.set({ [`prosaas.${name}`]: String(value) });
}

function faultOf(error: unknown): string {
  if (error instanceof AppError) return error.code;
  return error instanceof Error ? error.name : "error";
}
