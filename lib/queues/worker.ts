import { DelayedError, UnrecoverableError, Worker } from "bullmq";
import type { Job } from "bullmq";
import type { Redis } from "ioredis";
import { messageOf } from "../core/errors.ts";
import { Slots } from "../runtime/slots.ts";
import { backoff } from "../core/retry.ts";
import type { Logger } from "../runtime/log.ts";
import { withoutRepeats } from "../runtime/repeats.ts";
import { queuePrefix } from "./connection.ts";
import { definitionOf, jobDefinition } from "./definitions.ts";
import type { JobDefinition, JobName, Payload, QueueDefinition, QueueName } from "./definitions.ts";
import { defaultVersionWaits, IncompatibleJob, waitForVersion } from "./incompatible_job.ts";
import type { VersionWaits } from "./incompatible_job.ts";
import type { JobMetrics, Outcome, RunMetrics } from "./job_metrics.ts";
import { createStopwatch, RunCancelled } from "./run.ts";
import { waitBeforeNextRun } from "./next_run.ts";
import type { Handler, Handlers, Postponed, RunResult } from "./run.ts";

export type QueueWorkerOptions = {
  queue: QueueName;
  /** A connection of role "queue". The worker opens another one for blocking commands. */
  redis: Redis;
  handlers: Handlers;
  logger: Logger;
  metrics: JobMetrics;
  /** Default: the queue's own. Tests shorten its times. */
  definition?: QueueDefinition;
  recovery?: Recovery;
  versionWaits?: VersionWaits;
};

/** Timing of the recovery of jobs from a dead worker. */
export type Recovery = { lockMs: number; checkMs: number };

/*
 * A worker killed with -9 leaves its jobs in the active list, under locks that it no longer renews. A lock expires
 * after at most `lockMs`. The next check of any live worker of the queue (every `checkMs` over all of them) puts the
 * job back at the head of the queue. A job therefore runs again after lockMs + checkMs = 6.5 s at worst, 4 s on
 * average. A shorter lock would be faster, but it must outlive the longest pause of a live process: it is renewed
 * every 2.5 s, so a worker may pause for 2.5 s before another takes its job. Even then nothing is sent twice, because
 * of the leases and the shard's ledger.
 */
const defaultRecovery: Recovery = { lockMs: 5_000, checkMs: 1_500 };

/** Crashes of its process after which a job becomes a dead letter. */
const maxCrashes = 5;

/** Delay of a job that found no free slot in its share, half of it jitter. */
const noSlotMs = 1_000;

/** Characters of an error message that a dead letter keeps. Bounds the bytes of 5,000 letters. */
const maxReasonLength = 500;

/** Milliseconds between attempts to fetch jobs while Redis is unavailable. */
const reconnectMs = 500;

export type QueueWorker = {
  queue: QueueName;
  /** Resolves once the worker takes jobs. */
  ready(): Promise<void>;
  /** Stops taking jobs, waits `graceMs` for the runs in flight, then aborts them. Another worker runs those again. */
  close(graceMs: number): Promise<void>;
};

/** Serves one queue: parses, times, logs and counts each run. Jobs that cannot run become dead letters. */
export function createQueueWorker({
  queue,
  redis,
  handlers,
  logger,
  metrics,
  definition = definitionOf(queue),
  recovery = defaultRecovery,
  versionWaits = defaultVersionWaits,
}: QueueWorkerOptions): QueueWorker {
  const stopping = new AbortController();
  const stopwatch = createStopwatch(definition.timeoutMs);
  const reportsOf = (job: string): Reports => ({ log: logger.child({ queue, job }), series: metrics.of(queue, job) });
  const jobs = servedJobs(definition, handlers, reportsOf);
  const { concurrency, businessShare = concurrency, reservedSlots = 0 } = definition;
  const businessSlots = new Slots({ total: concurrency, share: businessShare, reserved: reservedSlots });

  const runJob = async (job: Job, token?: string): Promise<void> => {
    const start = performance.now();
    const { postponed, refused } = postponedRuns(job);
    let refusedNow = 0;
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

    let result: RunResult;
    try {
      if (served === undefined) {
        throw new IncompatibleJob(
          `The queue ${queue} has no job "${job.name}". Another version of the program enqueued it.`,
        );
      }
      payload = parse(served, job);
      const business = "business_id" in payload ? payload.business_id : undefined;
      if (served.running >= served.share) result = noJobSlot();
      else if (businessSlots.take(business) !== null) result = noBusinessSlot(postponed);
      else {
        served.running += 1;
        try {
          result = await stopwatch.run(
            served.handler,
            { jobId: job.id ?? "", payload, attempt, stopping: stopping.signal },
            start,
          );
        } finally {
          served.running -= 1;
          businessSlots.giveBack(business);
        }
      }
    } catch (error) {
      // Its schedule repeats it, so a waiting run would only add to the next ones.
      if (error instanceof IncompatibleJob && job.repeatJobKey !== undefined) {
        log.warn(ended("skipped", { reason: error.message }), "job");
        return;
      }
      const inMs = waitAfter(error, refused, versionWaits);
      if (inMs === undefined) {
        const last = error instanceof UnrecoverableError || job.attemptsMade + 1 >= (job.opts.attempts ?? 1);
        log.warn(ended(last ? "dead" : "failed", { error }), "job");
        // The handler ran, so the refusals before it are no longer in a row.
        if (!last && refused > 0)
          await job.updateProgress({ postponed, refused: 0, due: Date.now() } satisfies Postponed);
        throw withShortMessage(error);
      }
      if (error instanceof IncompatibleJob) refusedNow = refused + 1;
      result = { again: { inMs, reason: messageOf(error) } };
    }
    const { counts, again } = result;
    if (again === undefined) {
      // Idle runs are frequent: the sweep's, and the second run after a wake-up that came during the first.
      log[isIdle(counts) ? "debug" : "info"](ended("done", counts), "job");
      return;
    }
    const inMs = waitBeforeNextRun(again, postponed);
    if (!(again.inMs >= 0))
      log.warn({ job_id: job.id, asked_ms: again.inMs, in_ms: inMs, reason: again.reason }, "wait in the past");
    const due = Date.now() + inMs;
    // A refusal is no run of the handler, whose backoff depends on the number of its runs.
    const postponedNow = again.progressed === true ? 0 : refusedNow > 0 ? postponed : postponed + 1;
    if (postponedNow !== postponed || refusedNow !== refused || inMs > 0)
      await job.updateProgress({ postponed: postponedNow, refused: refusedNow, due } satisfies Postponed);
    await job.moveToDelayed(due, token);
    log.info(ended("postponed", { ...counts, in_ms: Math.round(inMs), reason: again.reason }), "job");
    throw new DelayedError();
  };

  const worker = new Worker(queue, runJob, {
    connection: redis,
    prefix: queuePrefix,
    concurrency: definition.concurrency,
    lockDuration: recovery.lockMs,
    stalledInterval: recovery.checkMs,
    maxStalledCount: maxCrashes,
    removeOnComplete: { count: 0 },
    removeOnFail: { count: definition.deadLetters.count, age: definition.deadLetters.ageS },
    runRetryDelay: reconnectMs,
    settings: {
      backoffStrategy: (attemptsMade = 1) => backoff({ attempt: attemptsMade, ...definition.backoff }),
    },
  });
  worker.on("stalled", (jobId) => {
    metrics.stalled(queue);
    logger.warn({ queue, job_id: jobId }, "job taken over from a worker that died");
  });
  worker.on("failed", (job) => {
    // Other failures are counted by their run. A job that crashed too often is failed without another run.
    if (job?.deferredFailure === undefined) return;
    metrics.of(queue, job.name).ran("dead", 0);
    logger.error({ queue, job: job.name, job_id: job.id, outcome: "dead", reason: job.deferredFailure }, "job");
  });
  const report = withoutRepeats((error, held_back) =>
    logger.warn({ queue, error: messageOf(error), held_back }, "queue error"),
  );
  worker.on("error", (error) => {
    metrics.error(queue);
    report(error);
  });

  return {
    queue,
    ready: () => worker.waitUntilReady(),
    close: async (graceMs) => {
      stopping.abort(new Error("the worker is stopping"));
      const timer = setTimeout(stopwatch.cancelAll, graceMs);
      try {
        await worker.close();
      } finally {
        clearTimeout(timer);
      }
    },
  };
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
