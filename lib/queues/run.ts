import type { JobName, Payload } from "./definitions.ts";

/** One run of a job. */
export type Run<J extends JobName> = {
  jobId: string;
  payload: Payload<J>;
  /** Number of this run since the last progress, from 1. Backoff grows with it. */
  attempt: number;
  /** Deadline of the run, by performance.now(). */
  endsAt: number;
  /** Aborts at the deadline, or when the process's grace period ends. */
  signal: AbortSignal;
  /** Aborts when the process starts to stop. The handler should finish its current item and ask to run again. */
  stopping: AbortSignal;
};

/** The result of a run that did not throw. */
export type RunResult = {
  /** Numbers for the log line. */
  counts?: Record<string, number>;
  /** Postpones the job: run again after `inMs`, within the bounds of `waitBeforeNextRun`. Costs no attempt. */
  again?: {
    inMs: number;
    reason: string;
    /** The run made progress, so the next run is attempt 1. */
    progressed?: boolean;
  };
};

/** Does a job's work. If it throws, the job is retried, and becomes a dead letter after its last attempt. */
export type Handler<J extends JobName> = (run: Run<J>) => Promise<RunResult>;

/** The handlers of a process, by job. */
export type Handlers = { [J in JobName]?: Handler<J> };

/** The worker is stopping and its grace period has ended. */
export class RunCancelled extends Error {}

/** A run without its deadline. */
type GivenRun<J extends JobName> = Omit<Run<J>, "endsAt" | "signal">;

/** A run in flight, as its handler sees it. `end` rejects it without waiting for the handler. */
class TimedRun<J extends JobName> implements Run<J> {
  readonly jobId: string;
  readonly payload: Payload<J>;
  readonly attempt: number;
  readonly stopping: AbortSignal;
  readonly endsAt: number;
  readonly #reject: (reason: unknown) => void;
  #controller: AbortController | undefined;
  #ended: { reason: unknown } | undefined;

  constructor({ jobId, payload, attempt, stopping }: GivenRun<J>, endsAt: number, reject: (reason: unknown) => void) {
    this.jobId = jobId;
    this.payload = payload;
    this.attempt = attempt;
    this.stopping = stopping;
    this.endsAt = endsAt;
    this.#reject = reject;
  }

  /** Created on first use, because most runs end long before their deadline and never read it. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#ended !== undefined) this.#controller.abort(this.#ended.reason);
    return this.#controller.signal;
  }

  end(reason: unknown): void {
    this.#ended = { reason };
    this.#controller?.abort(reason);
    this.#reject(reason);
  }
}

/** Enforces the timeout of each run, and can cancel all of them. */
export function createStopwatch(timeoutMs: number) {
  // One timer checks all runs.
  const inFlight = new Set<TimedRun<JobName>>();
  let watch: ReturnType<typeof setInterval> | undefined;

  const end = (run: TimedRun<JobName>, reason: unknown) => {
    inFlight.delete(run);
    run.end(reason);
  };
  const endLate = () => {
    const now = performance.now();
    for (const run of inFlight) if (now >= run.endsAt) end(run, new Error(`The run took longer than ${timeoutMs} ms.`));
    if (inFlight.size > 0) return;
    clearInterval(watch);
    watch = undefined;
  };

  return {
    /** Rejects at the deadline, even if the handler ignores its signal. Leases that it still holds expire. */
    run: (handler: Handler<JobName>, given: GivenRun<JobName>, start = performance.now()): Promise<RunResult> =>
      // Runs thousands of times a second: Promise.race or finally would each cost another promise.
      new Promise((resolve, reject) => {
        const run = new TimedRun(given, start + timeoutMs, reject);
        inFlight.add(run);
        watch ??= setInterval(endLate, Math.min(1_000, timeoutMs / 4));
        handler(run).then(
          (result) => {
            inFlight.delete(run);
            resolve(result);
          },
          (error: unknown) => {
            inFlight.delete(run);
            reject(error);
          },
        );
      }),
    cancelAll: () => {
      for (const run of inFlight) end(run, new RunCancelled("The worker is stopping and its grace period has ended."));
    },
  };
}

/**
 * BullMQ's progress field of a postponed job: its consecutive runs without progress, its consecutive refusals by
 * versions that cannot run it (absent: none), and when it is due.
 */
export type Postponed = { postponed: number; refused?: number; due: number };
