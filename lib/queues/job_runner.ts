import { DelayedError, UnrecoverableError } from "bullmq";
import type { Job } from "bullmq";
import { messageOf } from "../core/errors.ts";
import { backoff } from "../core/retry.ts";
import type { Logger } from "../runtime/log.ts";
import { Slots } from "../runtime/slots.ts";
import { isTracing } from "../tracing/index.ts";
import { jobDefinition } from "./definitions.ts";
import type { JobDefinition, JobName, Payload, QueueDefinition, QueueName } from "./definitions.ts";
import { IncompatibleJob, waitForVersion } from "./incompatible_job.ts";
import type { VersionWaits } from "./incompatible_job.ts";
import type { JobMetrics, Outcome, RunMetrics } from "./job_metrics.ts";
import { waitBeforeNextRun } from "./next_run.ts";
import { createStopwatch, RunCancelled } from "./run.ts";
import { inJobSpan, tracePayload } from "./job_span.ts";
import type { Handler, Handlers, Postponed, RunResult } from "./run.ts";

/** Delay of a job that found no free slot in its share, half of it jitter. */
const noSlotMs = 1_000;

/** Characters of an error message that a dead letter keeps. Bounds the bytes of 5,000 letters. */
const maxReasonLength = 500;

export type JobRunnerOptions = {
  queue: QueueName;
  definition: QueueDefinition;
  handlers: Handlers;
  logger: Logger;
  metrics: JobMetrics;
  versionWaits: VersionWaits;
  /** Aborts when the worker stops taking jobs. */
  stopping: AbortSignal;
};

export type JobRunner = {
  /** One run of a job. Rejects if it failed, and with DelayedError if it is postponed, as BullMQ expects. */
  run(job: Job, token?: string): Promise<void>;
  /** Ends all runs in flight. */
  cancelAll(): void;
};

/** A run that has started. */
type Run = {
  job: Job;
  served: Served | undefined;
  start: number;
  attempt: number;
  /** Consecutive postponed runs without progress, and consecutive refusals, before this run. */
  postponed: number;
  refused: number;
  log: Logger;
  /** Counts the outcome. Returns the fields of its log line. */
  ended: (outcome: Outcome, more: object | undefined) => object;
  /** The payload satisfies its schema and holds only ids. An invalid one is never logged. */
  parsed: (payload: Payload<JobName>) => void;
};

/** Runs the jobs of one queue: parses, times, logs and counts each run. */
export function createJobRunner(options: JobRunnerOptions): JobRunner {
  const { queue, definition, handlers, logger, metrics, versionWaits, stopping } = options;
  const stopwatch = createStopwatch(definition.timeoutMs);
  const reportsOf = (job: string): Reports => ({ log: logger.child({ queue, job }), series: metrics.of(queue, job) });
  const jobs = servedJobs(definition, handlers, reportsOf);
  const { concurrency, businessShare = concurrency, reservedSlots = 0 } = definition;
  const businessSlots = new Slots({ total: concurrency, share: businessShare, reserved: reservedSlots });

  const begin = (job: Job): Run => {
    const start = performance.now();
    const { postponed, refused } = postponedRuns(job);
    const attempt = postponed + job.attemptsMade + 1;
    const served = jobs.get(job.name);
    const { log, series } = served ?? reportsOf(job.name);
    if (job.attemptsStarted === 1) series.waited(((job.processedOn ?? job.timestamp) - job.timestamp) / 1000);
    // Set once it satisfies its schema and holds only ids. An invalid payload is never logged.
    let payload: Payload<JobName> | undefined;
    const ended = (outcome: Outcome, more: object | undefined) => {
      const ms = performance.now() - start;
      series.ran(outcome, ms / 1000);
      return { job_id: job.id, attempt, ...payload, outcome, ms: Math.round(ms), ...more };
    };
    const parsed = (valid: Payload<JobName>) => {
      payload = valid;
    };
    return { job, served, start, attempt, postponed, refused, log, ended, parsed };
  };

  /** Runs the handler, if a slot is free. Throws if the job cannot run here, and what the handler throws. */
  const handle = async ({ job, served, start, attempt, postponed, parsed }: Run): Promise<RunResult> => {
    if (served === undefined) {
      throw new IncompatibleJob(
        `The queue ${queue} has no job "${job.name}". Another version of the program enqueued it.`,
      );
    }
    const payload = parse(served, job);
    parsed(payload);
    tracePayload(payload);
    const business = "business_id" in payload ? payload.business_id : undefined;
    if (served.running >= served.share) return noJobSlot();
    if (businessSlots.take(business) !== null) return noBusinessSlot(postponed);
    served.running += 1;
    try {
      return await stopwatch.run(served.handler, { jobId: job.id ?? "", payload, attempt, stopping }, start);
    } finally {
      served.running -= 1;
      businessSlots.giveBack(business);
    }
  };

  /** Rejects with the error of a run, unless another run has to follow it. */
  const fail = async ({ job, refused, postponed, log, ended }: Run, error: unknown): Promise<RunResult> => {
    const inMs = waitAfter(error, refused, versionWaits);
    if (inMs !== undefined) return { again: { inMs, reason: messageOf(error) } };
    const last = error instanceof UnrecoverableError || job.attemptsMade + 1 >= (job.opts.attempts ?? 1);
    log.warn(ended(last ? "dead" : "failed", { error }), "job");
    // The handler ran, so the refusals before it are no longer in a row.
    if (!last && refused > 0) await job.updateProgress({ postponed, refused: 0, due: Date.now() } satisfies Postponed);
    throw withShortMessage(error);
  };

  const run = async (job: Job, token?: string): Promise<void> => {
    const current = begin(job);
    const { log, ended } = current;
    let refusedNow = 0;
    let result: RunResult;
    try {
      result = await handle(current);
    } catch (error) {
      if (error instanceof IncompatibleJob) {
        // Its schedule repeats it, so a waiting run would only add to the next ones.
        if (job.repeatJobKey !== undefined) return log.warn(ended("skipped", { reason: error.message }), "job");
        refusedNow = current.refused + 1;
      }
      result = await fail(current, error);
    }
    const { counts, again } = result;
    // Idle runs are frequent: the sweep's, and the second run after a wake-up that came during the first.
    if (again === undefined) return log[isIdle(counts) ? "debug" : "info"](ended("done", counts), "job");
    const inMs = await postpone(current, again, refusedNow, token);
    log.info(ended("postponed", { ...counts, in_ms: Math.round(inMs), reason: again.reason }), "job");
    throw new DelayedError();
  };
  return {
    run: (job, token) => (isTracing() ? inJobSpan(queue, job, () => run(job, token)) : run(job, token)),
    cancelAll: stopwatch.cancelAll,
  };
}

/** Delays a job until its next run. Resolves with the delay. */
async function postpone(
  { job, postponed, refused, log }: Run,
  again: NonNullable<RunResult["again"]>,
  refusedNow: number,
  token: string | undefined,
): Promise<number> {
  const inMs = waitBeforeNextRun(again, postponed);
  if (!(again.inMs >= 0))
    log.warn({ job_id: job.id, asked_ms: again.inMs, in_ms: inMs, reason: again.reason }, "wait in the past");
  const due = Date.now() + inMs;
  // A refusal is no run of the handler, whose backoff depends on the number of its runs.
  const postponedNow = again.progressed === true ? 0 : refusedNow > 0 ? postponed : postponed + 1;
  if (postponedNow !== postponed || refusedNow !== refused || inMs > 0)
    await job.updateProgress({ postponed: postponedNow, refused: refusedNow, due } satisfies Postponed);
  await job.moveToDelayed(due, token);
  return inMs;
}

/** A job that this process can run, and the state that its runs share. */
type Served = Reports & {
  handler: Handler<JobName>;
  schema: JobDefinition<JobName>["schema"];
  /** Maximum concurrent runs; further runs are postponed. */
  share: number;
  running: number;
};

/** The log and metrics of a job, labelled with its queue and name. */
type Reports = { log: Logger; series: RunMetrics };

/** Builds the served jobs by name, once, so that a run looks up everything it needs in one step. */
function servedJobs(
  { jobs, shares = {} }: QueueDefinition,
  handlers: Handlers,
  reportsOf: (job: string) => Reports,
): Map<string, Served> {
  const names = (Object.keys(jobs) as JobName[]).filter((job) => handlers[job] !== undefined);
  return new Map(
    names.map((job) => {
      const handler = handlers[job] as Handler<JobName>;
      const { schema } = jobDefinition(job);
      return [job, { ...reportsOf(job), handler, schema, share: shares[job] ?? Number.POSITIVE_INFINITY, running: 0 }];
    }),
  );
}

function parse({ schema }: Served, job: Job): Payload<JobName> {
  const parsed = schema.safeParse(job.data);
  if (parsed.success) return parsed.data;
  const fields = parsed.error.issues.map((issue) => `${issue.path.join(".") || "payload"}: ${issue.message}`);
  throw new IncompatibleJob(`The payload of "${job.name}" is invalid: ${fields.join("; ")}.`);
}

/** The delay after which a job without a result runs again; undefined if its run failed. */
function waitAfter(error: unknown, refused: number, versionWaits: VersionWaits): number | undefined {
  if (error instanceof RunCancelled) return 0;
  return error instanceof IncompatibleJob ? waitForVersion(refused, versionWaits) : undefined;
}

/** Truncates a long message, because BullMQ stores it in Redis twice: in the job and in its event stream. */
function withShortMessage(error: unknown): unknown {
  const message = messageOf(error);
  if (message.length <= maxReasonLength) return error;
  const short = `${message.slice(0, maxReasonLength - 1)}…`.toWellFormed();
  return error instanceof UnrecoverableError ? new UnrecoverableError(short) : new Error(short);
}

function noJobSlot(): RunResult {
  const inMs = noSlotMs * (1 - Math.random() / 2);
  return { again: { inMs, reason: "the job's share of the slots is taken" } };
}

/** Backs off, because thousands of jobs of one business may wait. */
function noBusinessSlot(postponed: number): RunResult {
  const inMs = backoff({ attempt: postponed + 1, baseMs: noSlotMs, maxMs: 5 * noSlotMs });
  return { again: { inMs, reason: "the business's share of the slots is taken" } };
}

/** True if a run reported counts and all of them are zero. */
function isIdle(counts: RunResult["counts"]): boolean {
  if (counts === undefined) return false;
  for (const name in counts) if (counts[name] !== 0) return false;
  return true;
}

/** Returns the numbers of consecutive postponed runs without progress, and of consecutive refusals. */
function postponedRuns(job: Job): Required<Omit<Postponed, "due">> {
  const { postponed = 0, refused = 0 } = job.progress as Partial<Postponed>;
  return { postponed, refused };
}
