import { safeEqual, sha256Hex } from "../../../lib/core/secret.ts";
import { findKey, findSessionKey, forPlatform, touchKeys } from "../../../lib/db/index.ts";
import type { Database, FoundKey } from "../../../lib/db/index.ts";
import { hashKey, keyPrefix } from "../../../lib/db/api_key.ts";
import type { Principal } from "./principal.ts";

export type KeyRing = {
  /** Who holds this key; undefined when nobody does. Throws "unavailable" when the database cannot be asked. */
  identify: (key: string) => Promise<Principal | undefined>;
  /** Who signed in to the console and was given this token; as `identify`. */
  identifySession: (token: string) => Promise<Principal | undefined>;
  /** Forgets what is known of the keys of an owner (null: the platform), or what led to them: some ended. */
  forget: (businessId: string | null) => void;
  /** Notes in the database which keys were used since the last time. */
  noteUse: () => Promise<void>;
};

export type KeyRingOptions = {
  /** How long a key is believed without asking again: the longest that a revoked key still works at another replica. */
  ttlMs?: number;
  /** Most keys kept in memory; the ones asked for longest ago make room. */
  maxKeys?: number;
  now?: () => number;
};

type Entry = { found: Promise<FoundKey | undefined>; until: number; businessId?: string | null };

/** The hash under which a console session is stored. */
export const sessionHash = (token: string): string => sha256Hex(`console session ${token}`);

/** Looks keys up by prefix, once per `ttlMs`, and compares the hash of the whole key in constant time. */
export function createKeyRing(
  db: Database,
  { ttlMs = 5_000, maxKeys = 10_000, now = () => performance.now() }: KeyRingOptions = {},
): KeyRing {
  const entries = new Map<string, Entry>();
  const used = new Set<string>();

  const recall = (name: string, ask: () => Promise<FoundKey | undefined>): Promise<FoundKey | undefined> => {
    const known = entries.get(name);
    if (known && known.until > now()) return known.found;
    const entry: Entry = { found: ask(), until: now() + ttlMs };
    entries.delete(name);
    entries.set(name, entry);
    if (entries.size > maxKeys) entries.delete(entries.keys().next().value!);
    entry.found.then(
      (key) => (entry.businessId = key?.business_id),
      // A failure is not remembered: the next request asks again.
      () => entries.get(name) === entry && entries.delete(name),
    );
    return entry.found;
  };

  const principalOf = ({ id: keyId, prefix, business_id, scopes, expires_at }: FoundKey): Principal | undefined => {
    if (expires_at !== null && expires_at.getTime() <= Date.now()) return undefined;
    used.add(keyId);
    if (business_id === null) return { kind: "admin", keyId, prefix };
    return { kind: "business", keyId, prefix, businessId: business_id, scopes: new Set(scopes) };
  };

  return {
    identify: async (key) => {
      const prefix = keyPrefix(key);
      if (prefix === undefined) return undefined;
      const found = await recall(prefix, () => findKey(forPlatform(db), prefix));
      return found && safeEqual(hashKey(key), found.hash) ? principalOf(found) : undefined;
    },
    identifySession: async (token) => {
      const hash = sessionHash(token);
      const found = await recall(hash, () => findSessionKey(forPlatform(db), hash));
      return found && principalOf(found);
    },
    forget: (businessId) => {
      for (const [name, entry] of entries) if (entry.businessId === businessId) entries.delete(name);
    },
    noteUse: async () => {
      const ids = [...used];
      used.clear();
      await touchKeys(forPlatform(db), ids);
    },
  };
}
