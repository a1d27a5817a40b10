import { lastStallAt, runningNow } from "./running_clock.ts";

/** Time to read the input that arrived during a stall. */
const graceMs = 2_000;

/**
 * Runs `act` once, after `ms` in which the event loop was running, but not within two seconds after a stall: the answer
 * that `act` would miss may have arrived and wait to be read. Repeated stalls delay it by at most another `ms`, or two
 * seconds if that is longer.
 *
 * @example
 * const timer = new PatientTimer(8_000, () => connection.end());
 * answer.finally(() => timer.stop());
 */
export class PatientTimer {
  readonly #startedAt = runningNow();
  readonly #ms: number;
  readonly #act: () => void;
  #timer: ReturnType<typeof setTimeout>;

  constructor(ms: number, act: () => void) {
    this.#ms = ms;
    this.#act = act;
    this.#timer = setTimeout(() => this.#check(), Math.max(0, ms));
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #check(): void {
    const dueAt = this.#startedAt + this.#ms;
    const latest = dueAt + Math.max(this.#ms, graceMs);
    const left = Math.max(dueAt, Math.min(lastStallAt() + graceMs, latest)) - runningNow();
    if (left <= 0) this.#act();
    else this.#timer = setTimeout(() => this.#check(), left);
  }
}
