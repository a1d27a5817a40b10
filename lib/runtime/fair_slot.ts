type Waiter = { grant: () => void };

/** A slot that one holder has at a time. Keys that wait for it take turns, whatever the number of waiters of each. */
export class FairSlot {
  #held = false;
  /** Waiters by key; the first key is next. */
  readonly #waiting = new Map<string, Waiter[]>();

  /** Resolves with the function that releases the slot, or with undefined after `maxWaitMs`. */
  acquire(key: string, maxWaitMs: number): Promise<(() => void) | undefined> {
    if (!this.#held) {
      this.#held = true;
      return Promise.resolve(this.#releaseOnce());
    }
    return new Promise((resolve) => {
      const waiter: Waiter = {
        grant: () => {
          clearTimeout(timer);
          resolve(this.#releaseOnce());
        },
      };
      const timer = setTimeout(() => {
        this.#remove(key, waiter);
        resolve(undefined);
      }, maxWaitMs);
      this.#waiting.set(key, [...(this.#waiting.get(key) ?? []), waiter]);
    });
  }

  #releaseOnce(): () => void {
    let released = false;
    return () => {
      if (released) return;
      released = true;
      this.#grantNext();
    };
  }

  #grantNext(): void {
    const next = this.#waiting.entries().next();
    if (next.done) {
      this.#held = false;
      return;
    }
    const [key, [waiter, ...others]] = next.value as [string, [Waiter, ...Waiter[]]];
    // Back to the end of the line: the other keys come first.
    this.#waiting.delete(key);
    if (others.length > 0) this.#waiting.set(key, others);
    waiter.grant();
  }

  #remove(key: string, waiter: Waiter): void {
    const others = (this.#waiting.get(key) ?? []).filter((one) => one !== waiter);
    if (others.length === 0) this.#waiting.delete(key);
    else this.#waiting.set(key, others);
  }
}
