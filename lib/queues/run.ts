import type { JobName, Payload } from "./definitions.ts";

/** One run of a job. */
export type Run<J extends JobName> = {
  jobId: string;
  payload: Payload<J>;
  /** Which run in a row this is that got nowhere so far, from 1: what a growing delay grows by. */
  attempt: number;
  /** When it has used up its time, by performance.now(). */
  endsAt: number;
  /** Aborts when the run has used up its time, or the process can wait no longer. */
  signal: AbortSignal;
  /** Aborts when the process begins to stop: end after the piece of work at hand and ask to be run again. */
  stopping: AbortSignal;
};

/** How a run ended that did not throw. */
export type RunResult = {
  /** What was done, as numbers for the log line. */
  counts?: Record<string, number>;
  /** Work is left: run again after `inMs`, within the bounds of `waitBeforeNextRun`. Uses up no attempt of the queue's. */
  again?: {
    inMs: number;
    reason: string;
    /** This run got somewhere: the next one is attempt 1. */ progressed?: boolean;
  };
};

/** Does a job's work. To throw is to fail: the job is tried again, and a dead letter when its attempts are used up. */
export type Handler<J extends JobName> = (run: Run<J>) => Promise<RunResult>;

/** The handlers of a process, by job. */
export type Handlers = { [J in JobName]?: Handler<J> };

/** The process stops and waits no longer for a run. */
export class RunCutShort extends Error {}

/** What a run is before its time is taken. */
type GivenRun<J extends JobName> = Omit<Run<J>, "endsAt" | "signal">;

/** A run under way: what its handler is given, and an end that does not wait for the handler. */
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

  /** Made when it is wanted: most runs are over long before their time and ask for none. */
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

/** Gives each run its limit of time, and can end all of them. */
export function createStopwatch(timeoutMs: number) {
  // One timer watches them all.
  const underWay = new Set<TimedRun<JobName>>();
  let watch: ReturnType<typeof setInterval> | undefined;

  const end = (run: TimedRun<JobName>, reason: unknown) => {
    underWay.delete(run);
    run.end(reason);
  };
  const endLate = () => {
    const now = performance.now();
    for (const run of underWay) if (now >= run.endsAt) end(run, new Error(`The run took longer than ${timeoutMs} ms.`));
    if (underWay.size > 0) return;
    clearInterval(watch);
    watch = undefined;
  };

  return {
    /** Rejects when the time is up, even if the handler does not heed its signal: what it then still holds are leases, which run out. */
    run: (handler: Handler<JobName>, given: GivenRun<JobName>, start = performance.now()): Promise<RunResult> =>
      // Every promise in here is one for each of thousands of jobs a second: no race, no finally.
      new Promise((resolve, reject) => {
        const run = new TimedRun(given, start + timeoutMs, reject);
        underWay.add(run);
        watch ??= setInterval(endLate, Math.min(1_000, timeoutMs / 4));
        handler(run).then(
          (result) => {
            underWay.delete(run);
            resolve(result);
          },
          (error: unknown) => {
            underWay.delete(run);
            reject(error);
          },
        );
      }),
    cutShort: () => {
      for (const run of underWay) end(run, new RunCutShort("The worker is stopping and could wait no longer."));
    },
  };
}

/** What BullMQ's progress field keeps of a job between its runs: how often in a row it got nowhere, and since when it is due. */
export type Postponed = { postponed: number; due: number };
