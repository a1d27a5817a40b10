import { sql } from "../client/literal.ts";
import type { PlatformScope } from "../scope.ts";

export type PendingBusinessesOptions = {
  /** Those with messages of broadcasts, or those with others. */
  ofBroadcasts?: boolean;
  after?: string | undefined;
  limit: number;
};

/** The ids of businesses with a message that could be sent now, in order; page on with the last one as `after`. */
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
