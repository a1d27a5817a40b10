import { Worker } from "bullmq";
import type { Redis } from "ioredis";
import { messageOf } from "../core/errors.ts";
import { backoff } from "../core/retry.ts";
import type { Logger } from "../runtime/log.ts";
import { withoutRepeats } from "../runtime/repeats.ts";
import { queuePrefix } from "./connection.ts";
import { definitionOf } from "./definitions.ts";
import type { QueueDefinition, QueueName } from "./definitions.ts";
import { defaultVersionWaits } from "./incompatible_job.ts";
import type { VersionWaits } from "./incompatible_job.ts";
import type { JobMetrics } from "./job_metrics.ts";
import { createJobRunner } from "./job_runner.ts";
import type { Handlers } from "./run.ts";

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
  const runner = createJobRunner({
    queue,
    definition,
    handlers,
    logger,
    metrics,
    versionWaits,
    stopping: stopping.signal,
  });
  const worker = new Worker(queue, runner.run, {
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
      const timer = setTimeout(runner.cancelAll, graceMs);
      try {
        await worker.close();
      } finally {
        clearTimeout(timer);
      }
    },
  };
}
