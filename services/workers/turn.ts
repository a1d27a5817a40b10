import { AppError } from "../../lib/core/errors.ts";
import { backoff } from "../../lib/core/retry.ts";
import type { JobName, Run, RunResult } from "../../lib/queues/index.ts";
import { withLease } from "./lease.ts";
import type { LeaseDeps } from "./lease.ts";

/*
 * A turn is one run of a job that owns a resource: a business's outbox, a shard's journal, a webhook endpoint.
 *
 *   run ──lease held elsewhere──▶ again after `heldMs`
 *    └─lease taken─▶ step ─"more"─▶ step … ─▶ "done" (the run is over)
 *                     ├─ steps or time used up ──▶ again at once, behind the jobs that wait in the queue
 *                     ├─ lease expired ──────────▶ again after `heldMs`
 *                     ├─ the process stops ──────▶ again at once, in another process
 *                     ├─ { inMs, reason } ───────▶ again after `inMs`
 *                     └─ dependency unavailable ─▶ again after a backoff
 */

/** Runs the job again after a delay. */
export type Wait = { inMs: number; reason: string };

export type Step = "more" | "done" | Wait;

export type TurnOptions<C extends Record<string, number>> = {
  lease: string;
  /** Delay while another worker holds the lease: it is about to finish, or it died and its lease expires in seconds. */
  heldMs: number;
  /** Numbers for the job's log line. */
  counts: C;
  /** Resets the backoff. */
  hasProgressed: () => boolean;
  /** Ends the turn so that other jobs of the queue get theirs. */
  limit?: { steps: number; ms?: number };
  /** Backoff while Redis, Postgres or a shard is unavailable. */
  retryDelay: { baseMs: number; maxMs: number };
  /** Attempts in a row without progress, after which the job ends instead of backing off. */
  maxAttempts?: number;
};

export type Turn = {
  /** Repeats `step` until it is done or waits, or until the turn is over. */
  repeat(step: () => Promise<Step>): Promise<Exclude<Step, "more">>;
  /**
   * True if an attempt may start within the current step. The first one may start late, so that each turn makes
   * progress.
   */
  startAttempt(): boolean;
  /** Attempts in a row without progress, from 1. */
  attempt(): number;
};

type TurnRun = Pick<Run<JobName>, "attempt" | "endsAt" | "signal" | "stopping">;

/** Runs `work` under a lease and turns its end into the result of the run. */
export async function takeTurn<C extends Record<string, number>>(
  deps: LeaseDeps,
  run: TurnRun,
  options: TurnOptions<C>,
  work: (turn: Turn) => Promise<Exclude<Step, "more">>,
): Promise<RunResult> {
  const { lease, heldMs, counts, hasProgressed, retryDelay, maxAttempts = Number.POSITIVE_INFINITY } = options;
  const again = (wait: Wait): RunResult => ({ counts, again: { ...wait, progressed: hasProgressed() } });
  const attempt = () => (hasProgressed() ? 1 : run.attempt);
  try {
    const end = await withLease(deps, lease, (lost) => work(createTurn(run, options, attempt, lost)));
    if (end === null) return again({ inMs: heldMs, reason: "another worker holds the lease" });
    return end === "done" ? { counts } : again(end);
  } catch (error) {
    if (!isTransient(error)) throw error;
    if (attempt() >= maxAttempts) return { counts };
    return again({ inMs: backoff({ attempt: attempt(), ...retryDelay }), reason: error.message });
  }
}

function createTurn(
  run: TurnRun,
  {
    heldMs,
    limit: { steps, ms = Number.POSITIVE_INFINITY } = { steps: Number.POSITIVE_INFINITY },
  }: Pick<TurnOptions<never>, "heldMs" | "limit">,
  attempt: () => number,
  lost: AbortSignal,
): Turn {
  const now = performance.now();
  // Half of the run's time is left for the work in flight when the turn ends.
  const endsAt = Math.min(now + ms, (now + run.endsAt) / 2);
  const isOver = () => performance.now() >= endsAt;
  let started = 0;

  return {
    attempt,
    startAttempt: () => {
      if (lost.aborted || run.stopping.aborted || run.signal.aborted) return false;
      return started++ === 0 || !isOver();
    },
    repeat: async (step) => {
      for (let taken = 0; ; taken++) {
        run.signal.throwIfAborted();
        if (lost.aborted) return { inMs: heldMs, reason: "the lease expired" };
        if (run.stopping.aborted) return { inMs: 0, reason: "the worker is stopping" };
        if (taken >= steps || (taken > 0 && isOver())) return { inMs: 0, reason: "the turn is over" };
        const end = await step();
        if (end !== "more") return end;
      }
    },
  };
}

/** True if a later attempt may succeed: nothing was decided. */
export function isTransient(error: unknown): error is AppError {
  return error instanceof AppError && (error.code === "unavailable" || error.code === "upstream_timeout");
}
