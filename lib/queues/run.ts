import type { JobName, Payload } from "./definitions.ts";

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

/** The process stops and waits no longer for a run. */
export class RunCutShort extends Error {}

/** Gives each run a signal with its limit of time, and can end all of them. */
export function createStopwatch(timeoutMs: number) {
  const underWay = new Set<AbortController>();
  return {
    /** Rejects when the time is up, even if `work` does not heed its signal: what it then still holds are leases, which run out. */
    within: async <T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> => {
      const controller = new AbortController();
      const { promise: aborted, reject } = Promise.withResolvers<never>();
      controller.signal.addEventListener("abort", () => reject(controller.signal.reason), { once: true });
      const timer = setTimeout(() => controller.abort(new Error(`The run took longer than ${timeoutMs} ms.`)), timeoutMs);
      underWay.add(controller);
      try {
        return await Promise.race([work(controller.signal), aborted]);
      } finally {
        clearTimeout(timer);
        underWay.delete(controller);
      }
    },
    cutShort: () => {
      for (const controller of underWay) controller.abort(new RunCutShort("The worker is stopping and could wait no longer."));
    },
  };
}
