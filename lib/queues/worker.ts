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
import type { JobMetrics, Outcome, RunMetrics } from "./job_metrics.ts";
import { createStopwatch, RunCutShort } from "./run.ts";
import { waitBeforeNextRun } from "./next_run.ts";
import type { Handler, Handlers, Postponed, RunResult } from "./run.ts";

export type QueueWorkerOptions = {
  queue: QueueName;
  /** A connection of role "queue"; the worker adds one of its own, to block on. */
  redis: Redis;
  handlers: Handlers;
  logger: Logger;
  metrics: JobMetrics;
  /** The queue's own, unless a test needs it quicker. */
  definition?: QueueDefinition;
  recovery?: Recovery;
};

/** How the work of a worker that died is found. */
export type Recovery = { lockMs: number; checkMs: number };

/*
 * A worker killed with -9 leaves its jobs in the active list under a lock that nobody renews. The lock runs out
 * after at most `lockMs`, and the next check of any living worker of the queue (one in `checkMs` over all of them)
 * puts the job back at the head of the line. So a job is running again after lockMs + checkMs = 6.5 s at worst,
 * 4 s on average. Shorter would be quicker, but a lock must outlive the longest pause of a process that is alive:
 * it is renewed every 2.5 s, so a worker may stand still for 2.5 s before another takes its job (and even then
 * nothing is doubled: the leases and the shard's ledger see to it).
 */
const quick: Recovery = { lockMs: 5_000, checkMs: 1_500 };

/** A job that kills its process this often is a dead letter instead of a loop of crashes. */
const mostCrashes = 5;

/** A job whose share of the places is taken looks again after this long, half of it jitter. */
const shareTakenMs = 1_000;

/** Characters of an error's message that a dead letter keeps: 5,000 of them are bounded by bytes. */
const longestReason = 500;

/** Between attempts to fetch while Redis is away. */
const reconnectMs = 500;

export type QueueWorker = {
  queue: QueueName;
  /** Resolves once jobs are being taken. */
  ready(): Promise<void>;
  /** Takes no more jobs, waits `graceMs` for those under way, then aborts them; they are run by another worker. */
  close(graceMs: number): Promise<void>;
};

/** Serves one queue: parses, times, logs and counts each run, and sends to the dead letters what cannot be run. */
export function createQueueWorker({
  queue,
  redis,
  handlers,
  logger,
  metrics,
  definition = definitionOf(queue),
  recovery = quick,
}: QueueWorkerOptions): QueueWorker {
  const stopping = new AbortController();
  const stopwatch = createStopwatch(definition.timeoutMs);
  const about = (job: string): Reports => ({ log: logger.child({ queue, job }), series: metrics.of(queue, job) });
  const jobs = servedJobs(definition, handlers, about);
  const ofBusinesses = new Slots({
    total: definition.concurrency,
    share: definition.businessShare ?? definition.concurrency,
  });

  const runJob = async (job: Job, token?: string): Promise<void> => {
    const start = performance.now();
    const postponed = postponedRuns(job);
    const attempt = postponed + job.attemptsMade + 1;
    const served = jobs.get(job.name);
    const { log, series } = served ?? about(job.name);
    if (job.attemptsStarted === 1) series.waited(((job.processedOn ?? job.timestamp) - job.timestamp) / 1000);
    // Nothing but ids once it satisfies its schema; until then it is not logged.
    let payload: Payload<JobName> | undefined;
    const ended = (outcome: Outcome, more: object | undefined) => {
      const ms = performance.now() - start;
      series.ran(outcome, ms / 1000);
      return { job_id: job.id, attempt, ...payload, outcome, ms: Math.round(ms), ...more };
    };

    let result: RunResult;
    try {
      if (served === undefined) {
        throw new UnrecoverableError(
          `The queue ${queue} has no job "${job.name}"; it was made by another version of the program.`,
        );
      }
      payload = parse(served, job);
      const business = "business_id" in payload ? payload.business_id : undefined;
      if (served.running >= served.share) result = shareTaken();
      else if (ofBusinesses.take(business) !== null) result = businessShareTaken(postponed);
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
          ofBusinesses.giveBack(business);
        }
      }
    } catch (error) {
      if (!(error instanceof RunCutShort)) {
        const last = error instanceof UnrecoverableError || job.attemptsMade + 1 >= (job.opts.attempts ?? 1);
        log.warn(ended(last ? "dead" : "failed", { error }), "job");
        throw withShortMessage(error);
      }
      result = { again: { inMs: 0, reason: error.message } };
    }
    const { counts, again } = result;
    if (again === undefined) {
      // Idle runs are many: the sweep's, and the second one of a wake-up that came during the first.
      log[isIdle(counts) ? "debug" : "info"](ended("done", counts), "job");
      return;
    }
    const inMs = waitBeforeNextRun(again, postponed);
    if (!(again.inMs >= 0))
      log.warn({ job_id: job.id, asked_ms: again.inMs, in_ms: inMs, reason: again.reason }, "wait in the past");
    const due = Date.now() + inMs;
    const postponedNow = again.progressed === true ? 0 : postponed + 1;
    if (postponedNow !== postponed || inMs > 0)
      await job.updateProgress({ postponed: postponedNow, due } satisfies Postponed);
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
    maxStalledCount: mostCrashes,
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
    // The others were counted by their run; this one kills its process too often to be given another.
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
      const timer = setTimeout(stopwatch.cutShort, graceMs);
      try {
        await worker.close();
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

/** A job that this process can run, and what its runs have in common. */
type Served = Reports & {
  handler: Handler<JobName>;
  schema: JobDefinition<JobName>["schema"];
  /** Most runs of it at once; whoever comes then is postponed. */
  share: number;
  running: number;
};

/** Where the runs of a job are reported; both know which queue and job they are about. */
type Reports = { log: Logger; series: RunMetrics };

/** By name: what a run needs and is the same for all of them is looked up and made once. */
function servedJobs(
  { jobs, shares = {} }: QueueDefinition,
  handlers: Handlers,
  about: (job: string) => Reports,
): Map<string, Served> {
  const names = (Object.keys(jobs) as JobName[]).filter((job) => handlers[job] !== undefined);
  return new Map(
    names.map((job) => {
      const handler = handlers[job] as Handler<JobName>;
      const { schema } = jobDefinition(job);
      return [job, { ...about(job), handler, schema, share: shares[job] ?? Number.POSITIVE_INFINITY, running: 0 }];
    }),
  );
}

function parse({ schema }: Served, job: Job): Payload<JobName> {
  const parsed = schema.safeParse(job.data);
  if (parsed.success) return parsed.data;
  const fields = parsed.error.issues.map((issue) => `${issue.path.join(".") || "payload"}: ${issue.message}`);
  throw new UnrecoverableError(`The payload of ${job.name} is not valid: ${fields.join("; ")}.`);
}

/** BullMQ keeps the message in Redis, once in the job and once in its stream of events: a long one is cut there. */
function withShortMessage(error: unknown): unknown {
  const message = messageOf(error);
  if (message.length <= longestReason) return error;
  const short = `${message.slice(0, longestReason - 1)}…`.toWellFormed();
  return error instanceof UnrecoverableError ? new UnrecoverableError(short) : new Error(short);
}

function shareTaken(): RunResult {
  return { again: { inMs: shareTakenMs * (1 - Math.random() / 2), reason: "the job's share of the slots is taken" } };
}

/** Waits longer each time: of one business thousands of jobs may wait. */
function businessShareTaken(postponed: number): RunResult {
  const inMs = backoff({ attempt: postponed + 1, baseMs: shareTakenMs, maxMs: 5 * shareTakenMs });
  return { again: { inMs, reason: "the business has its share of the slots" } };
}

/** Did a run count what it did, and count nothing? */
function isIdle(counts: RunResult["counts"]): boolean {
  if (counts === undefined) return false;
  for (const name in counts) if (counts[name] !== 0) return false;
  return true;
}

/** Runs in a row that were postponed without getting anywhere. */
function postponedRuns(job: Job): number {
  return (job.progress as Partial<Postponed>).postponed ?? 0;
}
