import { forPlatform, neverResidents } from "../../../lib/db/index.ts";
import type { Database } from "../../../lib/db/index.ts";

/** A shard is believed about a business for so long without another look: a business moves seldom. */
const believedMs = 60_000;
/** Businesses of all shards that a worker remembers; beyond them it looks again. */
const maxRemembered = 50_000;

/** Until when a business is known to live on a shard, or to have lived there. */
const known = new WeakMap<Database, Map<string, number>>();

/**
 * The businesses that a shard has no business to report about: they live on another shard and never lived here. One shard
 * that is taken over must not write the messages of another's tenants.
 */
export async function strangersOf(db: Database, shard: number, businessIds: Iterable<string>): Promise<Set<string>> {
  const now = performance.now();
  const remembered = known.get(db) ?? new Map<string, number>();
  known.set(db, remembered);
  const unknown = [...new Set(businessIds)].filter((id) => (remembered.get(`${shard}/${id}`) ?? 0) <= now);
  if (unknown.length === 0) return new Set();
  const strangers = new Set(await neverResidents(forPlatform(db), shard, unknown));
  if (remembered.size + unknown.length > maxRemembered) remembered.clear();
  for (const id of unknown) if (!strangers.has(id)) remembered.set(`${shard}/${id}`, now + believedMs);
  return strangers;
}
