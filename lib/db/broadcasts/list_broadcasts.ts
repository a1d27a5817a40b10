import { sql } from "../client/literal.ts";
import { pageByBytes } from "../client/page_by_bytes.ts";
import type { Listed } from "../client/page_by_bytes.ts";
import type { BusinessScope } from "../scope.ts";
import type { Broadcast } from "./schema.ts";

/** The broadcasts of a business, newest first: up to the limit, or until their texts exceed 256 KB. */
export function listBroadcasts(
  scope: BusinessScope,
  { before, limit }: { before?: string | undefined; limit: number },
): Promise<Listed<Broadcast>[]> {
  const rows = sql`
    select * from broadcasts
    where business_id = ${scope.businessId} ${before === undefined ? sql`` : sql`and id < ${before}`}
    order by id desc limit ${limit}`;
  return scope.ask<Listed<Broadcast>[]>(pageByBytes(rows, sql`octet_length(text)`));
}
