import type { ApiKey } from "../schema/index.ts";
import type { BusinessScope } from "../scope.ts";

/** Stores a key of the business; undefined when there is no such business. */
export async function insertKey(scope: BusinessScope, key: Pick<ApiKey, "id" | "prefix" | "hash" | "scopes">): Promise<ApiKey | undefined> {
  const [inserted] = await scope.run(
    (sql) => sql<ApiKey[]>`
      insert into api_keys (id, business_id, prefix, hash, scopes)
      select ${key.id}::uuid, id, ${key.prefix}, ${key.hash}, ${sql.array(key.scopes)}
      from businesses where id = ${scope.businessId} and deleted_at is null
      returning *`,
  );
  return inserted;
}
