import type { Redis } from "ioredis";
import type { Metrics } from "../runtime/metrics.ts";
import type { QueueName } from "./definitions.ts";
import { exposeQueueDepths } from "./depth_metrics.ts";

/**
 * done · postponed (the handler asked to run again) · skipped (a schedule's run that another version of the program
 * enqueued) · failed (will be retried) · dead (a dead letter)
 */
export type Outcome = "done" | "postponed" | "skipped" | "failed" | "dead";

/** The metrics of one job. */
export type RunMetrics = {
  waited(seconds: number): void;
  ran(outcome: Outcome, seconds: number): void;
};

export type JobMetrics = {
  of(queue: QueueName, job: string): RunMetrics;
  stalled(queue: QueueName): void;
  error(queue: QueueName): void;
};

/** Seconds. A wake-up should wait milliseconds; a broadcast may run for minutes. */
const buckets = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];

/** Creates the metrics of a worker process. Each scrape also reads the depth and age of the queues it serves. */
export function createJobMetrics(metrics: Metrics, redis: Redis, served: readonly QueueName[]): JobMetrics {
  type Known = { queue: QueueName; job: string; outcomes: Partial<Record<Outcome, number>>; series: RunMetrics };
  const known = new Map<string, Known>();
  metrics.counter("jobs_total", "Runs of jobs, by outcome.", ["queue", "job", "outcome"], (counter) => {
    for (const { queue, job, outcomes } of known.values()) {
      for (const [outcome, count] of Object.entries(outcomes)) counter.inc({ queue, job, outcome }, count);
    }
  });
  const stalls = metrics.counter("jobs_stalled_total", "Jobs recovered from a worker that died.", ["queue"]);
  const errors = metrics.counter("queue_errors_total", "Errors of the queue itself, such as lost connections.", [
    "queue",
  ]);
  const run = metrics.tallies("job_run_seconds", "Duration of a run.", buckets, ["queue", "job"]);
  const wait = metrics.tallies("job_wait_seconds", "Time from wake-up to first run.", buckets, ["queue", "job"]);

  exposeQueueDepths(metrics, redis, served, () => {
    for (const queue of served) errors.inc({ queue });
  });

  const createSeries = (queue: QueueName, job: string): Known => {
    const outcomes: Known["outcomes"] = {};
    const [waits, runs] = [wait.series({ queue, job }), run.series({ queue, job })];
    const series: RunMetrics = {
      waited: (seconds) => waits.observe(Math.max(0, seconds)),
      ran: (outcome, seconds) => {
        outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
        runs.observe(seconds);
      },
    };
    return { queue, job, outcomes, series };
  };

  return {
    of: (queue, job) => {
      const name = `${queue}/${job}`;
      const found = known.get(name) ?? createSeries(queue, job);
      known.set(name, found);
      return found.series;
    },
    stalled: (queue) => stalls.inc({ queue }),
    error: (queue) => errors.inc({ queue }),
  };
}
