import { safeEqual } from "../../../lib/core/secret.ts";
import { findKey, forPlatform } from "../../../lib/db/index.ts";
import type { Database, FoundKey } from "../../../lib/db/index.ts";
import { hashKey, keyPrefix } from "../../../lib/db/api_key.ts";
import type { Principal } from "./principal.ts";

export type KeyRing = {
  /** Who holds this key; undefined when nobody does. Throws "unavailable" when the database cannot be asked. */
  identify: (key: string) => Promise<Principal | undefined>;
  /** Forgets what is known of the keys of a business: some were revoked. */
  forget: (businessId: string) => void;
};

export type KeyRingOptions = {
  /** How long a key is believed without asking again: the longest that a revoked key still works at another replica. */
  ttlMs?: number;
  /** Most keys kept in memory; the ones asked for longest ago make room. */
  maxKeys?: number;
  now?: () => number;
};

type Entry = { found: Promise<FoundKey | undefined>; until: number; businessId?: string | null };

/** Looks keys up by prefix, once per `ttlMs`, and compares the hash of the whole key in constant time. */
export function createKeyRing(
  db: Database,
  { ttlMs = 5_000, maxKeys = 10_000, now = () => performance.now() }: KeyRingOptions = {},
): KeyRing {
  const entries = new Map<string, Entry>();

  const ask = (prefix: string): Promise<FoundKey | undefined> => {
    const entry: Entry = { found: findKey(forPlatform(db), prefix), until: now() + ttlMs };
    entries.delete(prefix);
    entries.set(prefix, entry);
    if (entries.size > maxKeys) entries.delete(entries.keys().next().value!);
    entry.found.then(
      (key) => (entry.businessId = key?.business_id),
      // A failure is not remembered: the next request asks again.
      () => entries.get(prefix) === entry && entries.delete(prefix),
    );
    return entry.found;
  };

  return {
    identify: async (key) => {
      const prefix = keyPrefix(key);
      if (prefix === undefined) return undefined;
      const known = entries.get(prefix);
      const found = await (known && known.until > now() ? known.found : ask(prefix));
      if (!found || !safeEqual(hashKey(key), found.hash)) return undefined;
      if (found.business_id === null) return { kind: "admin", keyId: found.id };
      return { kind: "business", keyId: found.id, businessId: found.business_id, scopes: new Set(found.scopes) };
    },
    forget: (businessId) => {
      for (const [prefix, entry] of entries) if (entry.businessId === businessId) entries.delete(prefix);
    },
  };
}
