import { sql } from "../client/literal.ts";
import type { ApiKey } from "../schema.ts";
import type { PlatformScope } from "../scope.ts";

export type FoundKey = Pick<ApiKey, "id" | "business_id" | "prefix" | "hash" | "scopes" | "expires_at"> & {
  /** Until it expires, by the database's clock; null: it does not. */
  expires_in_ms: number | null;
};

/*
 * Hand-written SQL: both lookups compute the remaining lifetime by the database's clock, and run for every key that is
 * not cached.
 */

/** The key is valid and its business exists. */
const works = sql`k.revoked_at is null and (k.expires_at is null or k.expires_at > now()) and b.deleted_at is null`;
const columns = sql`k.id, k.business_id, k.prefix, k.hash, k.scopes, k.expires_at,
  (extract(epoch from k.expires_at - now()) * 1000)::float8 as expires_in_ms`;
/** The same for a console session, which has an expiry of its own. */
const sessionColumns = sql`k.id, k.business_id, k.prefix, k.hash, k.scopes, k.expires_at,
  (extract(epoch from least(s.expires_at, k.expires_at) - now()) * 1000)::float8 as expires_in_ms`;

/** Finds the valid key with this prefix. */
export async function findKey(scope: PlatformScope, prefix: string): Promise<FoundKey | undefined> {
  const [key] = await scope.ask<FoundKey[]>(sql`
    select ${columns} from api_keys k left join businesses b on b.id = k.business_id
    where k.prefix = ${prefix} and ${works}`);
  return key;
}

/** Finds the key of a console session that has not expired. */
export async function findSessionKey(scope: PlatformScope, hash: string): Promise<FoundKey | undefined> {
  const [key] = await scope.ask<FoundKey[]>(sql`
    select ${sessionColumns} from console_sessions s join api_keys k on k.id = s.key_id left
      join businesses b on b.id = k.business_id
    where s.hash = ${hash} and s.expires_at > now() and ${works}`);
  return key;
}
