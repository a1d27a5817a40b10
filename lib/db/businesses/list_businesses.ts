import { sql } from "../client/literal.ts";
import type { Business } from "../schema.ts";
import type { PlatformScope } from "../scope.ts";

/** All businesses, or those with `name` somewhere in theirs, newest first. */
export function listBusinesses(
  scope: PlatformScope,
  { before, limit, name }: { before?: string | undefined; limit: number; name?: string | undefined },
): Promise<Business[]> {
  return scope.ask<Business[]>(sql`
    select * from businesses
    where deleted_at is null
      ${name === undefined ? sql`` : sql`and position(lower(${name}) in lower(name)) > 0`}
      ${before === undefined ? sql`` : sql`and id < ${before}`}
    order by id desc
    limit ${limit}`);
}
