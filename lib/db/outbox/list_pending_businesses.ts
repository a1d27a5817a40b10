import { sql } from "../client/literal.ts";
import type { PlatformScope } from "../scope.ts";

export type PendingBusinessesOptions = {
  /** Businesses with a due message in the broadcast outbox; otherwise in the urgent outbox. */
  ofBroadcasts?: boolean;
  after?: string | undefined;
  limit: number;
};

/** Lists the ids of businesses with a due message, in order; pass the last id as `after` for the next page. */
export async function listPendingBusinesses(
  scope: PlatformScope,
  options: PendingBusinessesOptions,
): Promise<string[]> {
  const { ofBroadcasts = false, after, limit } = options;
  const rows = await scope.ask<{ business_id: string }[]>(sql`
    select distinct business_id from messages
    where status = 'queued' and next_attempt_at <= now() and broadcast_id is ${ofBroadcasts ? sql`not null` : sql`null`}
      and business_id > ${after ?? "00000000-0000-0000-0000-000000000000"}
    order by business_id
    limit ${limit}`);
  return rows.map((row) => row.business_id);
}
