import { backoff } from "../core/retry.ts";
import { longestWaitMs } from "./definitions.ts";
import type { RunResult } from "./run.ts";

/** A wait in the past is a fault of the handler: its runs back off, so that the job cannot spin. */
const afterFault = { baseMs: 250, maxMs: 10_000 };

/** Runs in a row without progress that may follow each other at once, as when a worker stops. */
const immediateRuns = 3;
/** Floor after those. Handlers that wait for something ask for longer, so it does not slow them. */
const withoutProgress = { baseMs: 25, maxMs: 400, jitter: 0 };

/**
 * Milliseconds until a postponed job runs again: what its handler asked for, within bounds that keep the job from
 * spinning and from being forgotten. `postponed` counts the runs in a row before this one that made no progress.
 */
export function waitBeforeNextRun(
  { inMs, progressed = false }: NonNullable<RunResult["again"]>,
  postponed: number,
): number {
  // Written so that NaN counts as a wait in the past.
  if (!(inMs >= 0)) return backoff({ attempt: postponed + 1, ...afterFault });
  const floor =
    progressed || postponed < immediateRuns
      ? 0
      : backoff({ attempt: postponed - immediateRuns + 1, ...withoutProgress });
  return Math.min(Math.max(inMs, floor), longestWaitMs);
}
