import { sql } from "../client/literal.ts";
import type { BusinessScope } from "../scope.ts";

/**
 * Bytes of a business's stored files. A file counts for at least `minFileBytes`, so that no more rows are read than it
 * takes to exceed `maxBytes`.
 */
export async function mediaUsage(
  scope: BusinessScope,
  { maxBytes, minFileBytes }: { maxBytes: number; minFileBytes: number },
): Promise<number> {
  const [used] = await scope.ask<[{ bytes: number }]>(sql`
    select coalesce(sum(greatest(size, ${minFileBytes}::integer)), 0)::float8 as bytes
    from (
      select size from media where business_id = ${scope.businessId} and status = 'stored' and deleted_at is null
      limit ${Math.floor(maxBytes / minFileBytes) + 1}
    ) stored`);
  return used.bytes;
}
