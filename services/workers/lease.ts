import { acquireLease } from "../../lib/redis/lease.ts";
import type { Deps } from "./deps.ts";

export type LeaseDeps = Pick<Deps, "redis" | "leaseTimes" | "metrics">;

/**
 * Runs `work` under the lease `key` and renews it; returns null at once if another worker holds it. `lost` aborts when
 * the lease expires early: start no new work then. Work in flight may finish, because its effects are idempotent.
 */
export async function withLease<T>(
  { redis, leaseTimes: { ttlMs, renewMs }, metrics }: LeaseDeps,
  key: string,
  work: (lost: AbortSignal) => Promise<T>,
): Promise<T | null> {
  let heldSince = performance.now();
  const lease = await acquireLease(redis, key, ttlMs);
  if (lease === null) return null;
  const lost = new AbortController();

  const renew = async () => {
    const asked = performance.now();
    // While Redis does not answer, the lease counts as ours for its time to live.
    const ours = await lease.renew().catch(() => performance.now() - heldSince < ttlMs && null);
    if (ours === true) heldSince = asked;
    if (ours === false && !lost.signal.aborted) {
      metrics.leaseLost();
      lost.abort(new Error(`The lease ${key} expired.`));
    }
  };
  let renewing = Promise.resolve();
  const timer = setInterval(() => {
    renewing = renewing.then(renew);
  }, renewMs);
  try {
    return await work(lost.signal);
  } finally {
    clearInterval(timer);
    await renewing;
    // A lease that cannot be released expires.
    await lease.release().catch(() => {});
  }
}
