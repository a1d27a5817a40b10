import { AppError } from "../../../lib/core/errors.ts";

const defaultIntervalMs = 10_000;

/** The least time between two logins that are requested of a linked session: each costs WhatsApp a handshake. */
export class LoginInterval {
  readonly #intervalMs: number;
  readonly #now: () => number;
  #last = Number.NEGATIVE_INFINITY;

  constructor(intervalMs = defaultIntervalMs, now: () => number = () => performance.now()) {
    this.#intervalMs = intervalMs;
    this.#now = now;
  }

  /**
   * Records a login on request.
   * @throws AppError "rate_limited" if the last one was too recent.
   */
  take(): void {
    const now = this.#now();
    const waitMs = this.#last + this.#intervalMs - now;
    if (waitMs > 0) {
      const retryAfterS = Math.ceil(waitMs / 1000);
      throw new AppError("rate_limited", `The session logged in on request just now. Retry in ${retryAfterS} s.`, {
        retryAfterS,
      });
    }
    this.#last = now;
  }
}
