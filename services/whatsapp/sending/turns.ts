/**
 * Shares the event loop among those that have long work to do: one of them in each turn of the loop, in the order in
 * which they asked. Between two turns what has come in is read and timers run; on Bun work that awaits only promises
 * would starve both, WhatsApp's keepalives among them.
 */
export class Turns {
  #waiting: (() => void)[] = [];

  /** Resolves when it is the caller's turn. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      if (this.#waiting.length === 1) setImmediate(() => this.#give());
    });
  }

  #give(): void {
    const [first] = this.#waiting;
    first?.();
    this.#waiting.shift();
    if (this.#waiting.length > 0) setImmediate(() => this.#give());
  }
}
