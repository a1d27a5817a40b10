import { DelayedError, UnrecoverableError, Worker } from "bullmq";
import type { Job } from "bullmq";
import type { Redis } from "ioredis";
import { messageOf } from "../core/errors.ts";
import { backoff } from "../core/retry.ts";
import { deadline } from "../core/time.ts";
import type { Logger } from "../runtime/log.ts";
import { queuePrefix } from "./connection.ts";
import { definitionOf, isJobOf, jobDefinition } from "./definitions.ts";
import type { JobName, Payload, QueueDefinition, QueueName } from "./definitions.ts";
import type { JobMetrics } from "./job_metrics.ts";

/** One run of a job. */
export type Run<J extends JobName> = {
  jobId: string;
  payload: Payload<J>;
  /** Which run in a row this is that got nowhere so far, from 1: what a growing delay grows by. */
  attempt: number;
  /** Aborts when the run has used up its time, or the process can wait no longer. */
  signal: AbortSignal;
  /** Aborts when the process begins to stop: end after the piece of work at hand and ask to be run again. */
  stopping: AbortSignal;
};

/** How a run ended that did not throw. */
export type RunResult = {
  /** What was done, as numbers for the log line. */
  counts?: Record<string, number>;
  /** Work is left: run again after so many ms. Uses up no attempt of the queue's. */
  again?: { inMs: number; reason: string; /** This run got somewhere: the next one is attempt 1. */ progressed?: boolean };
};

/** Does a job's work. To throw is to fail: the job is tried again, and a dead letter when its attempts are used up. */
export type Handler<J extends JobName> = (run: Run<J>) => Promise<RunResult>;

/** The handlers of a process, by job. */
export type Handlers = { [J in JobName]?: Handler<J> };

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
  const expired = new AbortController();

  const runJob = async (job: Job, token?: string): Promise<void> => {
    const start = performance.now();
    const attempt = fruitless(job) + 1;
    if (job.attemptsStarted === 1) metrics.waited(queue, job.name, ((job.processedOn ?? job.timestamp) - job.timestamp) / 1000);
    const line = { queue, job: job.name, job_id: job.id, attempt, ...idsOf(queue, job) };
    const ended = (outcome: Parameters<JobMetrics["ran"]>[2]) => {
      const ms = performance.now() - start;
      metrics.ran(queue, job.name, outcome, ms / 1000);
      return { ...line, outcome, ms: Math.round(ms) };
    };

    let result: RunResult;
    try {
      result = await runWithin(job, attempt);
    } catch (error) {
      if (expired.signal.aborted) {
        result = { again: { inMs: 0, reason: "the worker is stopping" } };
      } else {
        const last = error instanceof UnrecoverableError || job.attemptsMade + 1 >= (job.opts.attempts ?? 1);
        logger.warn({ ...ended(last ? "dead" : "failed"), error }, "job");
        throw error;
      }
    }
    if (result.again === undefined) {
      logger.info({ ...ended("done"), ...result.counts }, "job");
      return;
    }
    const postponed = result.again.progressed ? 0 : attempt - job.attemptsMade;
    if (postponed !== postponedRuns(job)) await job.updateProgress({ postponed });
    await job.moveToDelayed(Date.now() + result.again.inMs, token);
    logger.info({ ...ended("postponed"), ...result.counts, in_ms: result.again.inMs, reason: result.again.reason }, "job");
    throw new DelayedError();
  };

  const runWithin = async (job: Job, attempt: number): Promise<RunResult> => {
    const { handler, payload } = resolve(job);
    const signal = deadline(definition.timeoutMs, expired.signal);
    const aborted = Promise.withResolvers<never>();
    const onAbort = () =>
      aborted.reject(expired.signal.aborted ? signal.reason : new Error(`The run took longer than ${definition.timeoutMs} ms.`));
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      // A handler that does not heed its signal is left behind; what it holds are leases, which run out.
      return await Promise.race([handler({ jobId: job.id ?? "", payload, attempt, signal, stopping: stopping.signal }), aborted.promise]);
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  };

  const resolve = (job: Job): { handler: Handler<JobName>; payload: Payload<JobName> } => {
    const name = job.name;
    const handler = isJobOf(queue, name) ? (handlers[name] as Handler<JobName> | undefined) : undefined;
    if (!isJobOf(queue, name) || handler === undefined) {
      throw new UnrecoverableError(`The queue ${queue} has no job "${name}"; it was made by another version of the program.`);
    }
    const parsed = jobDefinition(name).schema.safeParse(job.data);
    if (!parsed.success) {
      const fields = parsed.error.issues.map((issue) => `${issue.path.join(".") || "payload"}: ${issue.message}`);
      throw new UnrecoverableError(`The payload of ${name} is not valid: ${fields.join("; ")}.`);
    }
    return { handler, payload: parsed.data };
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
  worker.on("error", (error) => {
    metrics.error(queue);
    logger.warn({ queue, error: messageOf(error) }, "queue error");
  });

  return {
    queue,
    ready: () => worker.waitUntilReady(),
    close: async (graceMs) => {
      stopping.abort(new Error("the worker is stopping"));
      const timer = setTimeout(() => expired.abort(new Error("the worker could wait no longer")), graceMs);
      try {
        await worker.close();
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

/** Runs in a row that were postponed without getting anywhere; BullMQ's progress field keeps it between them. */
function postponedRuns(job: Job): number {
  const progress = job.progress;
  return typeof progress === "object" && "postponed" in progress && typeof progress.postponed === "number" ? progress.postponed : 0;
}

/** Those, and the ones that threw. */
function fruitless(job: Job): number {
  return postponedRuns(job) + job.attemptsMade;
}

/** The ids a log line names: a payload that satisfies its schema is nothing but ids; any other is not logged. */
function idsOf(queue: QueueName, job: Job): Record<string, unknown> {
  const parsed = isJobOf(queue, job.name) ? jobDefinition(job.name).schema.safeParse(job.data) : undefined;
  return parsed?.success ? parsed.data : {};
}
