const deadlineMs = 3_000;

/** Requests that wait briefly for a session that is about to open. */
export class OpenWaiters {
  #waiters: (() => void)[] = [];

  /** Resolves when the session opens, or after a deadline. */
  async wait(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, deadlineMs);
    this.#waiters.push(resolve);
    await promise;
    clearTimeout(timer);
    this.#waiters = this.#waiters.filter((waiter) => waiter !== resolve);
  }

  /** The session is open. */
  wake(): void {
    for (const resolve of this.#waiters.splice(0)) resolve();
  }
}
