import { sql } from "../client/literal.ts";
import type { BusinessScope } from "../scope.ts";
import type { Broadcast } from "./schema.ts";

/** Bytes of texts after which a list ends early: 200 of the longest texts would be 13 MB, and 80 MB of escaped JSON. */
const maxListBytes = 256 * 1024;

/** `has_next`: another one follows, within the limit or beyond the bytes. */
export type ListedBroadcast = Broadcast & { has_next: boolean };

/**
 * The broadcasts of a business, newest first: up to the limit, or until their texts exceed 256 KB. Hand-written SQL:
 * window functions over the page measure its texts in the database.
 */
export function listBroadcasts(
  scope: BusinessScope,
  { before, limit }: { before?: string | undefined; limit: number },
): Promise<ListedBroadcast[]> {
  return scope.ask<ListedBroadcast[]>(sql`
    select * from (
      select listed.*,
        lead(id) over newest_first is not null as has_next,
        sum(octet_length(text)) over (newest_first rows between unbounded preceding and 1 preceding) as bytes_before
      from (
        select * from broadcasts
        where business_id = ${scope.businessId} ${before === undefined ? sql`` : sql`and id < ${before}`}
        order by id desc
        limit ${limit}
      ) listed
      window newest_first as (order by id desc)
    ) measured
    where coalesce(bytes_before, 0) < ${maxListBytes}
    order by id desc`);
}
