import { backoff } from "../../../lib/core/retry.ts";
import type { Wait } from "./verdicts.ts";

/** The longest wait that WhatsApp may impose. */
const longestMs = 24 * 3_600_000;

type Options = Wait & {
  /** Multiplies the waits; WhatsApp's own are kept. */
  scale?: number;
  now?: () => number;
};

/**
 * Holds one kind of an account's work back after WhatsApp refused some of it temporarily (429, 503). It waits as long
 * as WhatsApp says, else twice as long after each consecutive refusal; an accepted request ends that growth. Refusals
 * during a wait count as the one that caused it.
 */
export class Cooldown {
  readonly #options: Required<Options>;
  #refusals = 0;
  #until = 0;

  constructor(options: Options) {
    this.#options = { scale: 1, now: () => performance.now(), ...options };
  }

  /** Milliseconds until the next attempt; 0 if there is nothing to wait for. */
  get waitMs(): number {
    return Math.max(0, this.#until - this.#options.now());
  }

  get isActive(): boolean {
    return this.waitMs > 0;
  }

  /** True if WhatsApp refused the last request of this kind that it decided. */
  get hasRefusals(): boolean {
    return this.#refusals > 0;
  }

  /** WhatsApp refused. `backoffMs`: the wait that it named. Returns the wait. */
  refused(backoffMs?: number, wait: Wait = this.#options): number {
    const { now, scale } = this.#options;
    // Requests that were in flight at the first refusal are refused too: they count as the same refusal.
    if (!this.isActive) this.#refusals += 1;
    const own = backoff({ attempt: this.#refusals, baseMs: wait.firstMs * scale, maxMs: wait.maxMs * scale });
    const ms = Math.min(longestMs, backoffMs ?? own);
    this.#until = Math.max(this.#until, now() + ms);
    return ms;
  }

  succeeded(): void {
    if (!this.isActive) this.#refusals = 0;
  }
}

/** The wait that WhatsApp names in a stanza, in seconds, as ms; undefined if it names none. */
export function backoffOf(attrs: Record<string, string> | undefined): number | undefined {
  const seconds = Number(attrs?.["backoff"]);
  return Number.isFinite(seconds) && seconds > 0 ? seconds * 1_000 : undefined;
}
