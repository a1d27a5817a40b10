import { backoff } from "../../../lib/core/retry.ts";
import { Transient, transientCode } from "./errors.ts";

/** WhatsApp does not say when it answers again. */
const baseMs = 500;
const maxMs = 15_000;

/**
 * Keeps a connection from querying WhatsApp again at once after a temporary refusal (429, 503). Each consecutive
 * refusal doubles the wait; an answered query ends it.
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

  /** @throws Transient while WhatsApp must not be queried. */
  refuse(): void {
    const waitMs = this.#until - this.#now();
    if (waitMs > 0) throw new Transient("WhatsApp refused a query temporarily; the next one waits.", waitMs);
  }

  /** A message could not be prepared. Only the refusal of a query counts here. */
  failed(error: unknown): void {
    if (transientCode(error) === undefined) return;
    this.#refusals += 1;
    this.#until = this.#now() + backoff({ attempt: this.#refusals, baseMs, maxMs });
  }

  succeeded(): void {
    if (!this.isActive) this.#refusals = 0;
  }
}
