import type { WebhookHealth } from "../../../lib/db/index.ts";

/*
 *   active ──every attempt failed, for pauseAfterMs──▶ paused
 *     ▲                                                  │
 *     └─────────────────an attempt succeeds──────────────┘
 *   either ──it answers 410 Gone──▶ disabled, until its owner enables it
 *
 * An endpoint whose last few attempts failed backs off for half the time that it has been failing. A single delivery
 * then probes it. A hanging endpoint thus costs a connection for seconds an hour, and a recovered one is found soon.
 */

export type HealthPolicy = {
  /** Failures in a row that start the backoff; fewer may be the fault of those deliveries. */
  failures: number;
  shortestWaitMs: number;
  longestWaitMs: number;
  /** Time of failing after which it is paused and its owner notified. */
  pauseAfterMs: number;
};

export const healthPolicy: HealthPolicy = {
  failures: 5,
  shortestWaitMs: 1_000,
  longestWaitMs: 900_000,
  pauseAfterMs: 600_000,
};

export type Attempted = { ok: boolean; gone: boolean; error: string | null };

export const healthy: WebhookHealth = {
  status: "active",
  status_reason: null,
  failures: 0,
  failing_since: null,
  next_attempt_at: null,
};

/** True if the endpoint gets only a probe. */
export function isFailing({ failures }: WebhookHealth, policy: HealthPolicy): boolean {
  return failures >= policy.failures;
}

/** An endpoint's health after one more attempt. */
export function afterAttempt(
  health: WebhookHealth,
  { ok, gone, error }: Attempted,
  now: Date,
  policy: HealthPolicy,
): WebhookHealth {
  if (ok) return healthy;
  if (gone) return { ...healthy, status: "disabled", status_reason: "It answered 410 Gone." };
  const failures = health.failures + 1;
  const failingSince = health.failing_since ?? now;
  const failing = { ...health, failures, failing_since: failingSince };
  if (!isFailing(failing, policy)) return failing;
  const forMs = now.getTime() - failingSince.getTime();
  const waitMs = Math.min(policy.longestWaitMs, Math.max(policy.shortestWaitMs, forMs / 2));
  const paused = health.status === "paused" || forMs >= policy.pauseAfterMs;
  return {
    ...failing,
    status: paused ? "paused" : "active",
    status_reason: error,
    next_attempt_at: new Date(now.getTime() + waitMs),
  };
}
