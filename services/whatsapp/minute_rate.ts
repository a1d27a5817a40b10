const buckets = 60;

/** Counts events of the last minute, to the second. */
export class MinuteRate {
  readonly #counts = Array.from({ length: buckets }, () => 0);
  readonly #now: () => number;
  #second: number;

  constructor(now: () => number = Date.now) {
    this.#now = now;
    this.#second = this.#currentSecond();
  }

  count(): void {
    this.#forget();
    this.#counts[this.#second % buckets]! += 1;
  }

  get perMinute(): number {
    this.#forget();
    return this.#counts.reduce((sum, count) => sum + count, 0);
  }

  #currentSecond(): number {
    return Math.floor(this.#now() / 1000);
  }

  /** Clears the buckets of the seconds that have passed. */
  #forget(): void {
    const current = this.#currentSecond();
    for (let second = Math.max(this.#second, current - buckets) + 1; second <= current; second++)
      this.#counts[second % buckets] = 0;
    this.#second = Math.max(this.#second, current);
  }
}
