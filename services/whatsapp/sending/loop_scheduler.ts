/** Time for turns within one iteration of the event loop. The remaining callers wait for the next iteration. */
const budgetMs = 5;

/**
 * Shares the event loop among callers with long work, first come first served. Each caller gets an immediate of its
 * own, so that its microtasks run before the next caller's turn. Once an iteration has spent `budgetMs`, the remaining
 * callers wait for the next iteration: in between, incoming data is read and timers run. On Bun, work that awaits only
 * promises would starve both, WhatsApp's keepalives among them.
 */
export class LoopScheduler {
  readonly #waiting: (() => void)[] = [];
  /** End of the budget of this iteration; undefined before its first turn. */
  #deadline: number | undefined;

  /** Resolves when it is the caller's turn. */
  turn(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      setImmediate(this.#grant);
    });
  }

  readonly #grant = (): void => {
    const now = performance.now();
    if (this.#deadline === undefined) {
      this.#deadline = now + budgetMs;
      // An immediate set by an immediate runs in the next iteration.
      setImmediate(() => {
        this.#deadline = undefined;
      });
    }
    if (now < this.#deadline) this.#waiting.shift()!();
    else setImmediate(this.#grant);
  };
}
