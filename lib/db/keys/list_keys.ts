import { sql } from "../client/literal.ts";
import type { ApiKey } from "../schema.ts";
import { isOwnedBy } from "./key_owner.ts";
import type { KeyOwner } from "./key_owner.ts";

export type ListedKey = Omit<ApiKey, "hash">;
export type KeyFilter = { prefix?: string | undefined; before?: string | undefined; limit: number };

/** The keys of an owner that still work, newest first. */
export function listKeys(owner: KeyOwner, { prefix, before, limit }: KeyFilter): Promise<ListedKey[]> {
  return owner.ask<ListedKey[]>(sql`
    select id, business_id, prefix, scopes, name, created_at, revoked_at, expires_at, last_used_at from api_keys
    where ${isOwnedBy(owner)} and revoked_at is null and (expires_at is null or expires_at > now())
      ${prefix === undefined ? sql`` : sql`and prefix = ${prefix}`}
      ${before === undefined ? sql`` : sql`and id < ${before}`}
    order by id desc
    limit ${limit}`);
}
