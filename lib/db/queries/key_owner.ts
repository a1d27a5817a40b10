import { sql } from "../literal.ts";
import type { Statement } from "../literal.ts";
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
