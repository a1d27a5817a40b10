/**
 * Seconds between the attempts of one delivery. Quick while it may be a hiccup, hours while somebody mends something;
 * together 21 hours, so that with jitter the last attempt falls within the 24 that a delivery is kept for.
 */
const delaysS = [5, 30, 120, 300, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 27_000];

/** Parts the crowd that failed together. */
const jitter = 0.1;

/** The longest that an endpoint may ask us to wait. */
const longestRetryAfterMs = 3_600_000;

export type Failed = {
  /** Attempts made, the one that failed included. */
  attempts: number;
  now: Date;
  expiresAt: Date;
  /** What the endpoint asked for. */
  retryAfterMs?: number | undefined;
};

/** When to try a delivery again, or null when it is dead. */
export function nextAttempt({ attempts, now, expiresAt, retryAfterMs = 0 }: Failed, random = Math.random): Date | null {
  const delayS = delaysS[attempts - 1];
  if (delayS === undefined) return null;
  const ours = delayS * 1_000 * (1 - jitter + 2 * jitter * random());
  const at = new Date(now.getTime() + Math.max(ours, Math.min(retryAfterMs, longestRetryAfterMs)));
  return at < expiresAt ? at : null;
}
