import { safeEqual, sha256Hex } from "../../../../lib/core/secret.ts";
import { findKey, findSessionKey, forPlatform, touchKeys } from "../../../../lib/db/index.ts";
import type { Database, FoundKey } from "../../../../lib/db/index.ts";
import { hashKey, keyPrefix } from "../../../../lib/db/keys/api_key.ts";
import type { Principal } from "./principal.ts";

export type Authenticator = {
  /**
   * The principal of an API key; undefined if the key is unknown. Throws "unavailable" if the database is, and if it
   * has not answered when `dueAt` comes. Requests that share a lookup have the deadline of the first one.
   */
  identify: (key: string, dueAt?: number) => Promise<Principal | undefined>;
  /** The principal of a console session's token; otherwise like `identify`. */
  identifySession: (token: string, dueAt?: number) => Promise<Principal | undefined>;
  /** The principal of a credential whose lookup is cached. Most requests end here, with one hash and no wait. */
  recall: (credential: string) => Principal | undefined;
  /** True if this key or token was valid at its last lookup. Reads the cache only. */
  remembers: (credential: string) => boolean;
  /** Evicts the cached keys of an owner (null: the platform) and its console sessions, after some were revoked. */
  invalidate: (businessId: string | null) => void;
  /** Writes to the database which keys were used since the last call. */
  recordUse: () => Promise<void>;
};

export type AuthenticatorOptions = {
  /** How long a lookup is cached: the longest that a revoked key still works at another replica. */
  ttlMs?: number;
  /** How long an unknown key is refused without another lookup. */
  unknownTtlMs?: number;
  /** Maximum number of cached keys, and of cached unknown keys. The oldest lookup is evicted first. */
  maxKeys?: number;
  now?: () => number;
};

/** A lookup. `key` is that of the lookup before until `isDone`. Requests of one key share its principal. */
type Entry = {
  found: Promise<FoundKey | undefined>;
  at: number;
  isDone: boolean;
  key?: FoundKey;
  principal?: Principal;
};

/** The hash under which a console session is stored. */
export const consoleTokenHash = (token: string): string => sha256Hex(`console session ${token}`);

/**
 * Looks up keys by prefix, at most once per `ttlMs`, and compares the hash of the whole key in constant time. Unknown
 * keys have a cache of their own, by the hash of the whole key: they evict no valid key, and a newly created key is
 * never among them, because its secret is random.
 */
export function createAuthenticator(
  db: Database,
  {
    ttlMs = 5_000,
    unknownTtlMs = Math.min(ttlMs, 1_000),
    maxKeys = 10_000,
    now = () => performance.now(),
  }: AuthenticatorOptions = {},
): Authenticator {
  const entries = new Map<string, Entry>();
  const unknown = new Map<string, number>();
  const used = new Set<string>();

  const lookUp = (name: string, query: () => Promise<FoundKey | undefined>): Entry => {
    const cached = entries.get(name);
    if (cached && cached.at + ttlMs > now()) return cached;
    const entry: Entry = { found: query(), at: now(), isDone: false };
    if (cached?.key !== undefined) entry.key = cached.key;
    entries.delete(name);
    entries.set(name, entry);
    if (entries.size > maxKeys) entries.delete(entries.keys().next().value!);
    const evict = () => entries.get(name) === entry && entries.delete(name);
    entry.found.then(
      (key) => {
        if (key === undefined) evict();
        else Object.assign(entry, { key, isDone: true });
      },
      // A failure is not cached: the next request queries again.
      () => (entry.at = Number.NEGATIVE_INFINITY),
    );
    return entry;
  };

  /** The principal of a cached key, if the credential matches and the key has not expired since its lookup. */
  const verify = async (entry: Entry, matches: (key: FoundKey) => boolean): Promise<Principal | undefined> => {
    const key = await entry.found;
    if (key === undefined || !matches(key) || isExpired(key, entry.at)) return undefined;
    used.add(key.id);
    return principalOf(key);
  };

  /** True if a key has expired since its lookup. */
  const isExpired = ({ expires_in_ms }: FoundKey, at: number) => expires_in_ms !== null && now() - at >= expires_in_ms;

  /** The last successful lookup of a credential. */
  const cachedEntry = (credential: string): (Entry & { key: FoundKey }) | undefined => {
    const prefix = keyPrefix(credential);
    const entry = entries.get(prefix ?? consoleTokenHash(credential));
    if (entry?.key === undefined) return undefined;
    if (prefix !== undefined && !safeEqual(hashKey(credential), entry.key.hash)) return undefined;
    return entry as Entry & { key: FoundKey };
  };

  const principalOf = ({ id: keyId, prefix, business_id, scopes, expires_at: expiresAt }: FoundKey): Principal => {
    if (business_id === null) return { kind: "admin", keyId, prefix, expiresAt };
    return { kind: "business", keyId, prefix, expiresAt, businessId: business_id, scopes: new Set(scopes) };
  };

  /** Refuses a cached unknown credential; otherwise runs `identify` and caches a refusal. */
  const cachingUnknown = async (
    hash: string,
    identify: () => Promise<Principal | undefined>,
  ): Promise<Principal | undefined> => {
    if ((unknown.get(hash) ?? Number.NEGATIVE_INFINITY) > now()) return undefined;
    const principal = await identify();
    if (principal === undefined && unknownTtlMs > 0) {
      unknown.delete(hash);
      unknown.set(hash, now() + unknownTtlMs);
      if (unknown.size > maxKeys) unknown.delete(unknown.keys().next().value!);
    }
    return principal;
  };

  return {
    identify: async (key, dueAt) => {
      const prefix = keyPrefix(key);
      if (prefix === undefined) return undefined;
      const hash = hashKey(key);
      return cachingUnknown(hash, () =>
        verify(
          lookUp(prefix, () => findKey(forPlatform(db, dueAt), prefix)),
          (found) => safeEqual(hash, found.hash),
        ),
      );
    },
    identifySession: async (token, dueAt) => {
      const hash = consoleTokenHash(token);
      return cachingUnknown(hash, () =>
        verify(
          lookUp(hash, () => findSessionKey(forPlatform(db, dueAt), hash)),
          () => true,
        ),
      );
    },
    recall: (credential) => {
      const entry = cachedEntry(credential);
      if (entry === undefined || !entry.isDone || entry.at + ttlMs <= now()) return undefined;
      if (isExpired(entry.key, entry.at)) return undefined;
      used.add(entry.key.id);
      return (entry.principal ??= principalOf(entry.key));
    },
    remembers: (credential) => cachedEntry(credential) !== undefined,
    invalidate: (businessId) => {
      for (const [name, { key }] of entries)
        if (key === undefined || key.business_id === businessId) entries.delete(name);
    },
    recordUse: async () => {
      const ids = [...used];
      used.clear();
      await touchKeys(forPlatform(db), ids);
    },
  };
}
