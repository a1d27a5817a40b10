/**
 * Seconds between the attempts of a delivery: short for a brief outage, hours for one that needs a repair. They sum to
 * 21 hours, so that with jitter the last attempt falls within the 24 hours of a delivery.
 */
const delaysS = [5, 30, 120, 300, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 27_000];

/** Spreads deliveries that failed together. */
const jitter = 0.1;

/** Upper bound of an endpoint's Retry-After. */
const longestRetryAfterMs = 3_600_000;

export type Failed = {
  /** Attempts so far, the failed one included. */
  attempts: number;
  now: Date;
  expiresAt: Date;
  /** The endpoint's Retry-After. */
  retryAfterMs?: number | undefined;
};

/** Time of a delivery's next attempt, or null if it is dead. */
export function nextAttempt({ attempts, now, expiresAt, retryAfterMs = 0 }: Failed, random = Math.random): Date | null {
  const delayS = delaysS[attempts - 1];
  if (delayS === undefined) return null;
  const ours = delayS * 1_000 * (1 - jitter + 2 * jitter * random());
  const at = new Date(now.getTime() + Math.max(ours, Math.min(retryAfterMs, longestRetryAfterMs)));
  return at < expiresAt ? at : null;
}
