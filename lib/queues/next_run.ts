import { backoff } from "../core/retry.ts";
import { maxPostponementMs } from "./definitions.ts";
import type { RunResult } from "./run.ts";

/** A negative delay is a fault of the handler. Its runs back off, so that the job cannot spin. */
const afterFault = { baseMs: 250, maxMs: 10_000 };

/** Consecutive runs without progress that may follow without a delay, as when a worker stops. */
const immediateRuns = 3;
/** Minimum delay after those. Handlers that wait for something request longer delays, so it does not slow them. */
const withoutProgress = { baseMs: 25, maxMs: 400, jitter: 0 };

/**
 * Returns the milliseconds until a postponed job runs again: the delay that its handler requested, bounded so that the
 * job neither spins nor stalls. `postponed` counts the consecutive earlier runs without progress.
 */
export function waitBeforeNextRun(
  { inMs, progressed = false }: NonNullable<RunResult["again"]>,
  postponed: number,
): number {
  // Written so that NaN counts as negative.
  if (!(inMs >= 0)) return backoff({ attempt: postponed + 1, ...afterFault });
  const floor =
    progressed || postponed < immediateRuns
      ? 0
      : backoff({ attempt: postponed - immediateRuns + 1, ...withoutProgress });
  return Math.min(Math.max(inMs, floor), maxPostponementMs);
}
