import { safeEqual, sha256Hex } from "../../../../lib/core/secret.ts";
import { findKey, findSessionKey, forPlatform, touchKeys } from "../../../../lib/db/index.ts";
import type { Database, FoundKey } from "../../../../lib/db/index.ts";
import { hashKey, keyPrefix } from "../../../../lib/db/keys/api_key.ts";
import type { Principal } from "./principal.ts";

export type KeyRing = {
  /** The holder of this key; undefined when the key is unknown. Throws "unavailable" when the database is. */
  identify: (key: string) => Promise<Principal | undefined>;
  /** Who signed in to the console and was given this token; as `identify`. */
  identifySession: (token: string) => Promise<Principal | undefined>;
  /** Whether this key or token was valid the last time that it was looked up. Asks nothing. */
  remembers: (credential: string) => boolean;
  /** Drops the cached keys of an owner (null: the platform) and its cached sessions, because some ended. */
  forget: (businessId: string | null) => void;
  /** Notes in the database which keys were used since the last time. */
  noteUse: () => Promise<void>;
};

export type KeyRingOptions = {
  /** How long a key is believed without another lookup: the longest that a revoked key still works at another replica. */
  ttlMs?: number;
  /** How long an unknown key is refused without another lookup. */
  unknownTtlMs?: number;
  /** Most keys kept in memory, and most unknown ones; the ones looked up longest ago make room. */
  maxKeys?: number;
  now?: () => number;
};

type Entry = { found: Promise<FoundKey | undefined>; at: number; key?: FoundKey };

/** The hash under which a console session is stored. */
export const sessionHash = (token: string): string => sha256Hex(`console session ${token}`);

/**
 * Looks keys up by prefix, once per `ttlMs`, and compares the hash of the whole key in constant time. Unknown keys are
 * cached apart and by their whole hash: they displace no valid key, and delay no new one, whose secret is random.
 */
export function createKeyRing(
  db: Database,
  {
    ttlMs = 5_000,
    unknownTtlMs = Math.min(ttlMs, 1_000),
    maxKeys = 10_000,
    now = () => performance.now(),
  }: KeyRingOptions = {},
): KeyRing {
  const entries = new Map<string, Entry>();
  const unknown = new Map<string, number>();
  const used = new Set<string>();

  const recall = (name: string, ask: () => Promise<FoundKey | undefined>): Entry => {
    const known = entries.get(name);
    if (known && known.at + ttlMs > now()) return known;
    const entry: Entry = { found: ask(), at: now(), ...(known?.key === undefined ? {} : { key: known.key }) };
    entries.delete(name);
    entries.set(name, entry);
    if (entries.size > maxKeys) entries.delete(entries.keys().next().value!);
    const drop = () => entries.get(name) === entry && entries.delete(name);
    entry.found.then(
      (key) => {
        if (key === undefined) drop();
        else entry.key = key;
      },
      // A failure is not cached: the next request asks again.
      () => (entry.at = Number.NEGATIVE_INFINITY),
    );
    return entry;
  };

  /** Whose key an entry holds, if it proves `hash` and has not expired since it was read. */
  const judge = async (entry: Entry, proves: (key: FoundKey) => boolean): Promise<Principal | undefined> => {
    const key = await entry.found;
    if (key === undefined || !proves(key)) return undefined;
    if (key.expires_in_ms !== null && now() - entry.at >= key.expires_in_ms) return undefined;
    return principalOf(key);
  };

  const principalOf = ({ id: keyId, prefix, business_id, scopes, expires_at: expiresAt }: FoundKey): Principal => {
    used.add(keyId);
    if (business_id === null) return { kind: "admin", keyId, prefix, expiresAt };
    return { kind: "business", keyId, prefix, expiresAt, businessId: business_id, scopes: new Set(scopes) };
  };

  /** Answers from the cache of unknown credentials, or asks and remembers a refusal there. */
  const unlessUnknown = async (
    hash: string,
    ask: () => Promise<Principal | undefined>,
  ): Promise<Principal | undefined> => {
    if ((unknown.get(hash) ?? Number.NEGATIVE_INFINITY) > now()) return undefined;
    const principal = await ask();
    if (principal === undefined && unknownTtlMs > 0) {
      unknown.delete(hash);
      unknown.set(hash, now() + unknownTtlMs);
      if (unknown.size > maxKeys) unknown.delete(unknown.keys().next().value!);
    }
    return principal;
  };

  return {
    identify: async (key) => {
      const prefix = keyPrefix(key);
      if (prefix === undefined) return undefined;
      const hash = hashKey(key);
      return unlessUnknown(hash, () =>
        judge(
          recall(prefix, () => findKey(forPlatform(db), prefix)),
          (found) => safeEqual(hash, found.hash),
        ),
      );
    },
    identifySession: async (token) => {
      const hash = sessionHash(token);
      return unlessUnknown(hash, () =>
        judge(
          recall(hash, () => findSessionKey(forPlatform(db), hash)),
          () => true,
        ),
      );
    },
    remembers: (credential) => {
      const prefix = keyPrefix(credential);
      if (prefix === undefined) return entries.get(sessionHash(credential))?.key !== undefined;
      const key = entries.get(prefix)?.key;
      return key !== undefined && safeEqual(hashKey(credential), key.hash);
    },
    forget: (businessId) => {
      for (const [name, { key }] of entries)
        if (key === undefined || key.business_id === businessId) entries.delete(name);
    },
    noteUse: async () => {
      const ids = [...used];
      used.clear();
      await touchKeys(forPlatform(db), ids);
    },
  };
}
