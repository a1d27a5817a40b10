import { lastStallAt, runningNow } from "./running_clock.ts";

/** Time to read the input that arrived during a stall. */
const graceMs = 2_000;

/**
 * A timeout that tolerates stalls of this process. Calls `onTimeout` once, after `ms` of running time (`runningNow`),
 * but not within two seconds after a stall: the awaited answer may have arrived and wait to be read. Repeated stalls
 * delay the call by at most another `ms` of running time, or two seconds if that is longer. Real time is not bounded: a
 * stall of any length counts as one second at most.
 *
 * @example
 * const timer = new PatientTimer(8_000, () => connection.end());
 * answer.finally(() => timer.stop());
 */
export class PatientTimer {
  readonly #startedAt = runningNow();
  readonly #ms: number;
  readonly #onTimeout: () => void;
  #timer: ReturnType<typeof setTimeout>;

  constructor(ms: number, onTimeout: () => void) {
    this.#ms = ms;
    this.#onTimeout = onTimeout;
    this.#timer = setTimeout(() => this.#check(), Math.max(0, ms));
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #check(): void {
    const dueAt = this.#startedAt + this.#ms;
    const latest = dueAt + Math.max(this.#ms, graceMs);
    const left = Math.max(dueAt, Math.min(lastStallAt() + graceMs, latest)) - runningNow();
    if (left <= 0) this.#onTimeout();
    else this.#timer = setTimeout(() => this.#check(), left);
  }
}
