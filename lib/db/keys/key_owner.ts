import { sql } from "../client/literal.ts";
import type { Statement } from "../client/literal.ts";
import type { BusinessScope, PlatformScope } from "../scope.ts";

/** Whose keys these are: a business's, or the platform's, which are the admin keys. */
export type KeyOwner = BusinessScope | PlatformScope;

export function ownerId(owner: KeyOwner): string | null {
  return "businessId" in owner ? owner.businessId : null;
}

export function isOwnedBy(owner: KeyOwner): Statement {
  const id = ownerId(owner);
  return id === null ? sql`business_id is null` : sql`business_id = ${id}`;
}

/** Serialises the creation of an owner's keys until the end of the transaction, so that their count is exact. */
export function lockKeys(owner: KeyOwner): Statement {
  return sql`select pg_advisory_xact_lock(hashtextextended(${`prosaas:keys:${ownerId(owner) ?? "platform"}`}, 0))`;
}

/** A query for how many keys of an owner work. */
export function workingKeys(owner: KeyOwner): Statement {
  return sql`
    select count(*)::integer from api_keys
    where ${isOwnedBy(owner)} and revoked_at is null and (expires_at is null or expires_at > now())`;
}
