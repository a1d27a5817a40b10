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
  /** Work is left: run again after so many ms, at most `longestWaitMs`. Uses up no attempt of the queue's. */
  again?: { inMs: number; reason: string; /** This run got somewhere: the next one is attempt 1. */ progressed?: boolean };
};

/** Does a job's work. To throw is to fail: the job is tried again, and a dead letter when its attempts are used up. */
export type Handler<J extends JobName> = (run: Run<J>) => Promise<RunResult>;

/** The handlers of a process, by job. */
export type Handlers = { [J in JobName]?: Handler<J> };

/** The process stops and waits no longer for a run. */
export class RunCutShort extends Error {}

type Timed = { endsAt: number; end: (reason: unknown) => void };

/** Gives each run a signal with its limit of time, and can end all of them. */
export function createStopwatch(timeoutMs: number) {
  // Most runs are over long before their time and ask for no signal: one timer watches them all, and a signal is made when it is wanted.
  const underWay = new Set<Timed>();
  let watch: ReturnType<typeof setInterval> | undefined;

  const endLate = () => {
    const now = performance.now();
    for (const timed of underWay) if (now >= timed.endsAt) timed.end(new Error(`The run took longer than ${timeoutMs} ms.`));
    if (underWay.size > 0) return;
    clearInterval(watch);
    watch = undefined;
  };

  return {
    /** Rejects when the time is up, even if `work` does not heed its signal: what it then still holds are leases, which run out. */
    within: <T>(work: (signal: () => AbortSignal) => Promise<T>): Promise<T> =>
      new Promise<T>((resolve, reject) => {
        let controller: AbortController | undefined;
        let ended: { reason: unknown } | undefined;
        const timed: Timed = {
          endsAt: performance.now() + timeoutMs,
          end: (reason: unknown) => {
            ended = { reason };
            underWay.delete(timed);
            controller?.abort(reason);
            reject(reason);
          },
        };
        underWay.add(timed);
        watch ??= setInterval(endLate, Math.min(1_000, timeoutMs / 4));
        const signal = () => {
          controller ??= new AbortController();
          if (ended !== undefined) controller.abort(ended.reason);
          return controller.signal;
        };
        work(signal)
          .then(resolve, reject)
          .finally(() => underWay.delete(timed));
      }),
    cutShort: () => {
      for (const { end } of underWay) end(new RunCutShort("The worker is stopping and could wait no longer."));
    },
  };
}
