import { AppError } from "../../../lib/core/errors.ts";
import type { State } from "./states.ts";
import { reasonOf, statusOf } from "./view.ts";

/** How long a request waits for a session that is about to open, so that callers do not notice a reconnect. */
const deadlineMs = 3_000;

/** The requests that wait for a session to open. */
export class OpenWaiters {
  readonly #state: () => State;
  #waiters: (() => void)[] = [];

  constructor(state: () => State) {
    this.#state = state;
  }

  /** The session is open. */
  wake(): void {
    for (const resolve of this.#waiters.splice(0)) resolve();
  }

  /** @throws AppError "unavailable" if the session is not open, and does not open within the deadline. */
  async untilOpen(): Promise<void> {
    if (this.#isOpen) return;
    if (this.#isReconnecting) await this.#wait();
    if (this.#isOpen) return;
    const state = this.#state();
    const reason = reasonOf(state);
    const suffix = reason === undefined ? "" : `: ${reason}`;
    throw new AppError("unavailable", `The session is ${statusOf(state)}, not open${suffix}.`, {
      retryAfterS: this.#isReconnecting ? 2 : 30,
    });
  }

  get #isOpen(): boolean {
    return this.#state().is === "open";
  }

  get #isReconnecting(): boolean {
    const { is } = this.#state();
    return is === "connecting" || is === "waiting";
  }

  async #wait(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, deadlineMs);
    this.#waiters.push(resolve);
    await promise;
    clearTimeout(timer);
    this.#waiters = this.#waiters.filter((waiter) => waiter !== resolve);
  }
}
