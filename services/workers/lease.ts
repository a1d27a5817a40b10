import { acquireLease } from "../../lib/redis/lease.ts";
import type { Deps } from "./deps.ts";

/**
 * Does `work` while holding the lease `key`, renewing it; gives null at once where another holds it. `lost` aborts
 * when the lease ran out all the same: begin nothing new then. What is under way may end: its effects are facts, and
 * idempotent.
 */
export async function withLease<T>(
  { redis, leaseTimes: { ttlMs, renewMs }, metrics }: Pick<Deps, "redis" | "leaseTimes" | "metrics">,
  key: string,
  work: (lost: AbortSignal) => Promise<T>,
): Promise<T | null> {
  let heldSince = performance.now();
  const lease = await acquireLease(redis, key, ttlMs);
  if (lease === null) return null;
  const lost = new AbortController();

  const renew = async () => {
    const asked = performance.now();
    // Where Redis does not answer, the lease is ours as long as it could have lived.
    const ours = await lease.renew().catch(() => performance.now() - heldSince < ttlMs && null);
    if (ours === true) heldSince = asked;
    if (ours === false && !lost.signal.aborted) {
      metrics.leaseLost();
      lost.abort(new Error(`The lease ${key} ran out.`));
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
    // A lease that cannot be released now runs out by itself.
    await lease.release().catch(() => {});
  }
}
