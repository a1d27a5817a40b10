/** Sampling interval. */
const tickMs = 100;
/** A longer interval between two samples is a stall. */
export const stallMs = 250;
/** A stall counts for at most this long. */
export const maxCountedMs = 1_000;

/** A clock that is sampled by `tick`, between two turns of the event loop. */
export class RunningClock {
  readonly #now: () => number;
  #tickAt: number;
  #running = 0;
  #stallEndedAt = Number.NEGATIVE_INFINITY;

  constructor(now: () => number) {
    this.#now = now;
    this.#tickAt = now();
  }

  tick(): void {
    this.#stallEndedAt = this.lastStallAt();
    this.#running = this.runningNow();
    this.#tickAt = this.#now();
  }

  /** See {@link runningNow}. */
  runningNow(): number {
    return this.#running + Math.min(this.#sinceTick(), maxCountedMs);
  }

  /** See {@link lastStallAt}. The sample after a stall may be late. */
  lastStallAt(): number {
    return this.#sinceTick() > stallMs ? this.runningNow() : this.#stallEndedAt;
  }

  #sinceTick(): number {
    return this.#now() - this.#tickAt;
  }
}

let ofProcess: RunningClock | undefined;

function clock(): RunningClock {
  if (ofProcess !== undefined) return ofProcess;
  const started = new RunningClock(() => performance.now());
  setInterval(() => started.tick(), tickMs).unref();
  return (ofProcess = started);
}

/**
 * Returns milliseconds for which the event loop of this process has been running. A stall counts as one second at most:
 * the process was suspended (SIGSTOP, a paused machine), got no CPU time or computed. Use it to judge how long a peer
 * has been silent, because input that arrived during a stall has not been read yet.
 */
export function runningNow(): number {
  return clock().runningNow();
}

/** Returns when the last stall ended, by {@link runningNow}; minus infinity before the first. */
export function lastStallAt(): number {
  return clock().lastStallAt();
}
