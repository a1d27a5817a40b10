import { DelayedError, UnrecoverableError, Worker } from "bullmq";
import type { Job } from "bullmq";
import type { Redis } from "ioredis";
import { messageOf } from "../core/errors.ts";
import { backoff } from "../core/retry.ts";
import type { Logger } from "../runtime/log.ts";
import { withoutRepeats } from "../runtime/repeats.ts";
import { queuePrefix } from "./connection.ts";
import { definitionOf, isJobOf, jobDefinition, longestWaitMs } from "./definitions.ts";
import type { JobName, Payload, QueueDefinition, QueueName } from "./definitions.ts";
import type { JobMetrics, Outcome } from "./job_metrics.ts";
import { createStopwatch, RunCutShort } from "./run.ts";
import type { Handler, Handlers, RunResult } from "./run.ts";

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
  const shares = createShares(definition.shares ?? {});

  const runJob = async (job: Job, token?: string): Promise<void> => {
    const start = performance.now();
    const attempt = postponedRuns(job) + job.attemptsMade + 1;
    if (job.attemptsStarted === 1) metrics.waited(queue, job.name, ((job.processedOn ?? job.timestamp) - job.timestamp) / 1000);
    const known = resolve(job);
    const ended = (outcome: Outcome) => {
      const ms = performance.now() - start;
      metrics.ran(queue, job.name, outcome, ms / 1000);
      // A payload that satisfies its schema is nothing but ids; any other is not logged.
      const ids = "handler" in known ? known.payload : {};
      return { queue, job: job.name, job_id: job.id, attempt, ...ids, outcome, ms: Math.round(ms) };
    };

    let result: RunResult;
    try {
      if ("refusal" in known) throw new UnrecoverableError(known.refusal);
      const { handler, payload } = known;
      result = await shares.within(job.name, () =>
        stopwatch.within((signal) =>
          handler({
            jobId: job.id ?? "",
            payload,
            attempt,
            get signal() {
              return signal();
            },
            stopping: stopping.signal,
          }),
        ),
      );
    } catch (error) {
      if (!(error instanceof RunCutShort)) {
        const last = error instanceof UnrecoverableError || job.attemptsMade + 1 >= (job.opts.attempts ?? 1);
        logger.warn({ ...ended(last ? "dead" : "failed"), error }, "job");
        throw error;
      }
      result = { again: { inMs: 0, reason: error.message } };
    }
    if (result.again === undefined) {
      // Idle runs are many: the sweep's, and the second one of a wake-up that came during the first.
      const idle = result.counts !== undefined && Object.values(result.counts).every((count) => count === 0);
      logger[idle ? "debug" : "info"]({ ...ended("done"), ...result.counts }, "job");
      return;
    }
    const { reason, progressed = false } = result.again;
    const inMs = Math.min(result.again.inMs, longestWaitMs);
    const postponed = progressed ? 0 : postponedRuns(job) + 1;
    if (postponed !== postponedRuns(job)) await job.updateProgress({ postponed });
    await job.moveToDelayed(Date.now() + inMs, token);
    logger.info({ ...ended("postponed"), ...result.counts, in_ms: Math.round(inMs), reason }, "job");
    throw new DelayedError();
  };

  const resolve = (job: Job): { handler: Handler<JobName>; payload: Payload<JobName> } | { refusal: string } => {
    const name = job.name;
    const handler = isJobOf(queue, name) ? (handlers[name] as Handler<JobName> | undefined) : undefined;
    if (!isJobOf(queue, name) || handler === undefined) {
      return { refusal: `The queue ${queue} has no job "${name}"; it was made by another version of the program.` };
    }
    const parsed = jobDefinition(name).schema.safeParse(job.data);
    if (parsed.success) return { handler, payload: parsed.data };
    const fields = parsed.error.issues.map((issue) => `${issue.path.join(".") || "payload"}: ${issue.message}`);
    return { refusal: `The payload of ${name} is not valid: ${fields.join("; ")}.` };
  };

  const worker = new Worker(queue, runJob, {
    connection: redis,
    prefix: queuePrefix,
    concurrency: definition.concurrency,
    lockDuration: recovery.lockMs,
    stalledInterval: recovery.checkMs,
    maxStalledCount: mostCrashes,
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
    metrics.ran(queue, job.name, "dead", 0);
    logger.error({ queue, job: job.name, job_id: job.id, outcome: "dead", reason: job.deferredFailure }, "job");
  });
  const report = withoutRepeats((error, held_back) => logger.warn({ queue, error: messageOf(error), held_back }, "queue error"));
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

/** Lets a job run only while fewer than its share of runs are under way; otherwise it is postponed. */
function createShares(most: Record<string, number>) {
  const underWay = new Map<string, number>();
  return {
    within: async (job: string, run: () => Promise<RunResult>): Promise<RunResult> => {
      const share = most[job];
      if (share === undefined) return run();
      const running = underWay.get(job) ?? 0;
      if (running >= share) {
        return { again: { inMs: shareTakenMs * (1 - Math.random() / 2), reason: "its share of the places is taken" } };
      }
      underWay.set(job, running + 1);
      try {
        return await run();
      } finally {
        underWay.set(job, underWay.get(job)! - 1);
      }
    },
  };
}

/** Runs in a row that were postponed without getting anywhere; BullMQ's progress field keeps it between them. */
function postponedRuns(job: Job): number {
  const progress = job.progress;
  return typeof progress === "object" && "postponed" in progress && typeof progress.postponed === "number" ? progress.postponed : 0;
}
