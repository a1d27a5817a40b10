import { sql } from "../literal.ts";
import type { Business } from "../schema/index.ts";
import type { PlatformScope } from "../scope.ts";

/** All businesses, newest first. */
export function listBusinesses(
  scope: PlatformScope,
  { before, limit }: { before?: string | undefined; limit: number },
): Promise<Business[]> {
  return scope.ask<Business[]>(sql`
    select * from businesses
    where deleted_at is null ${before === undefined ? sql`` : sql`and id < ${before}`}
    order by id desc
    limit ${limit}`);
}
