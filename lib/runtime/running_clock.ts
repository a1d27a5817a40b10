/** Sampling interval. */
const tickMs = 100;
/** A longer turn of the event loop is a stall. */
export const stallMs = 250;

/** When the clock was read last, by `performance.now()`. */
let readAt: number | undefined;
let running = 0;
let stallEndedAt = Number.NEGATIVE_INFINITY;

/**
 * Returns milliseconds for which the event loop of this process has been running. A stall counts as `stallMs`, whatever
 * its length: the process was suspended (SIGSTOP, a paused machine), got no CPU time or computed. Use it to judge how
 * long a peer has been silent, because input that arrived during a stall has not been read yet.
 */
export function runningNow(): number {
  const now = performance.now();
  if (readAt === undefined) setInterval(runningNow, tickMs).unref();
  else if (now - readAt <= stallMs) running += now - readAt;
  else {
    running += stallMs;
    stallEndedAt = running;
  }
  readAt = now;
  return running;
}

/** Returns when the last stall ended, by {@link runningNow}; minus infinity before the first. */
export function lastStallAt(): number {
  runningNow();
  return stallEndedAt;
}
