import { sql } from "../literal.ts";
import type { ApiKey } from "../schema/index.ts";
import type { PlatformScope } from "../scope.ts";

export type FoundKey = Pick<ApiKey, "id" | "business_id" | "hash" | "scopes">;

/** The key with this prefix, if it still works and its business is still there. */
export async function findKey(scope: PlatformScope, prefix: string): Promise<FoundKey | undefined> {
  const [key] = await scope.ask<FoundKey[]>(sql`
    select k.id, k.business_id, k.hash, k.scopes
    from api_keys k left join businesses b on b.id = k.business_id
    where k.prefix = ${prefix} and k.revoked_at is null and b.deleted_at is null`);
  return key;
}
