import { and, desc, eq, gt, isNull, lt, or } from "drizzle-orm";
import { fetchRows, now, query } from "../query.ts";
import { ownerId } from "./key_owner.ts";
import type { KeyOwner } from "./key_owner.ts";
import { apiKeys } from "./schema.ts";
import type { ApiKey } from "./schema.ts";

export type ListedKey = Omit<ApiKey, "hash" | "lifetime">;
export type KeyFilter = { prefix?: string | undefined; before?: string | undefined; limit: number };

const { id, business_id, prefix, scopes, name, created_at, revoked_at, expires_at, last_used_at } = apiKeys;
const listed = { id, business_id, prefix, scopes, name, created_at, revoked_at, expires_at, last_used_at };

/** The valid keys of an owner, newest first. */
export function listKeys(owner: KeyOwner, filter: KeyFilter): Promise<ListedKey[]> {
  const businessId = ownerId(owner);
  return fetchRows(
    owner,
    query
      .select(listed)
      .from(apiKeys)
      .where(
        and(
          businessId === null ? isNull(business_id) : eq(business_id, businessId),
          isNull(revoked_at),
          or(isNull(expires_at), gt(expires_at, now)),
          filter.prefix === undefined ? undefined : eq(prefix, filter.prefix),
          filter.before === undefined ? undefined : lt(id, filter.before),
        ),
      )
      .orderBy(desc(id))
      .limit(filter.limit),
  );
}
