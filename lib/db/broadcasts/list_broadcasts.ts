import { sql } from "../client/literal.ts";
import type { Broadcast } from "../schema.ts";
import type { BusinessScope } from "../scope.ts";

/** The broadcasts of a business, newest first. */
export function listBroadcasts(
  scope: BusinessScope,
  { before, limit }: { before?: string | undefined; limit: number },
): Promise<Broadcast[]> {
  return scope.ask<Broadcast[]>(sql`
    select * from broadcasts
    where business_id = ${scope.businessId} ${before === undefined ? sql`` : sql`and id < ${before}`}
    order by id desc
    limit ${limit}`);
}
