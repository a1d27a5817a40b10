import type { ApiKey } from "../schema/index.ts";
import type { BusinessScope } from "../scope.ts";

export type ListedKey = Omit<ApiKey, "hash">;

/** The keys of a business that still work, newest first. */
export function listKeys(scope: BusinessScope, { before, limit }: { before?: string | undefined; limit: number }): Promise<ListedKey[]> {
  return scope.run(
    (sql) => sql<ListedKey[]>`
      select id, business_id, prefix, scopes, created_at, revoked_at from api_keys
      where business_id = ${scope.businessId} and revoked_at is null ${before === undefined ? sql`` : sql`and id < ${before}`}
      order by id desc
      limit ${limit}`,
  );
}
