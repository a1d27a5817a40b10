import { backoff } from "../../../lib/core/retry.ts";
import { Transient, transientCode } from "./errors.ts";

/** WhatsApp names no time after which it answers again. */
const baseMs = 500;
const maxMs = 15_000;

/**
 * Stops a connection from asking WhatsApp again at once after WhatsApp refused a query for a reason that passes (429,
 * 503). Each refusal in a row doubles the wait; a query that is answered ends it.
 */
export class QueryCooldown {
  readonly #now: () => number;
  #refusals = 0;
  #until = 0;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  get isActive(): boolean {
    return this.#until > this.#now();
  }

  /** @throws Transient while WhatsApp is not to be asked. */
  refuse(): void {
    const waitMs = this.#until - this.#now();
    if (waitMs > 0)
      throw new Transient("WhatsApp refused a query for a reason that passes; the next one waits.", waitMs);
  }

  /** A message could not be prepared; only the refusal of a query matters here. */
  failed(error: unknown): void {
    if (transientCode(error) === undefined) return;
    this.#refusals += 1;
    this.#until = this.#now() + backoff({ attempt: this.#refusals, baseMs, maxMs });
  }

  succeeded(): void {
    if (!this.isActive) this.#refusals = 0;
  }
}
