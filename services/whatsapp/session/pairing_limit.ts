import { AppError } from "../../../lib/core/errors.ts";
import { createWindowLimiter } from "../../../lib/core/window_limiter.ts";

const windowMs = 60_000;
/** People try again after a typing error, or with the other method. */
export const maxPairings = 10;

/**
 * Limits the pairings that a business starts. Each opens a connection to WhatsApp from the address that all businesses
 * of the shard share, and a pairing code shows a notification on a phone of the caller's choice.
 */
export class PairingLimit {
  readonly #started;

  constructor(now?: () => number) {
    this.#started = createWindowLimiter({ windowMs, maxCallers: 1, ...(now === undefined ? {} : { now }) });
  }

  /**
   * Counts a pairing.
   * @throws AppError "rate_limited" if too many were started within a minute.
   */
  take(): void {
    const { granted, resetMs } = this.#started.take("", maxPairings);
    if (granted) return;
    const retryAfterS = Math.ceil(Math.min(resetMs, windowMs) / 1000);
    const detail = `${maxPairings} pairings were started within a minute. Retry in ${retryAfterS} s.`;
    throw new AppError("rate_limited", detail, { retryAfterS });
  }
}
