import { forPlatform, listNeverAssigned } from "../../../lib/db/index.ts";
import type { Database } from "../../../lib/db/index.ts";

/** A positive answer is cached for this long, because businesses rarely move. */
const cacheMs = 60_000;
/** Cached businesses over all shards; the cache is cleared beyond it. */
const maxCached = 50_000;

/** Expiry by shard and business, for businesses that live or lived on the shard. */
const caches = new WeakMap<Database, Map<string, number>>();

/**
 * Businesses that the shard must not report about: they live on another shard and never lived on this one. A
 * compromised shard must not write messages of other shards' tenants.
 */
export async function foreignBusinesses(
  db: Database,
  shard: number,
  businessIds: Iterable<string>,
): Promise<Set<string>> {
  const now = performance.now();
  const cache = caches.get(db) ?? new Map<string, number>();
  caches.set(db, cache);
  const unknown = [...new Set(businessIds)].filter((id) => (cache.get(`${shard}/${id}`) ?? 0) <= now);
  if (unknown.length === 0) return new Set();
  const foreign = new Set(await listNeverAssigned(forPlatform(db), shard, unknown));
  if (cache.size + unknown.length > maxCached) cache.clear();
  for (const id of unknown) if (!foreign.has(id)) cache.set(`${shard}/${id}`, now + cacheMs);
  return foreign;
}
