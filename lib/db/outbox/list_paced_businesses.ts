import { sql } from "../client/literal.ts";
import type { PlatformScope } from "../scope.ts";

/** Businesses with a message that the pacing of their account holds back, in order of their ids. */
export async function listPacedBusinesses(scope: PlatformScope, { limit }: { limit: number }): Promise<string[]> {
  const rows = await scope.ask<{ business_id: string }[]>(sql`
    select distinct business_id from messages where status = 'queued' and wait_reason = 'pacing'
    order by business_id limit ${limit}`);
  return rows.map(({ business_id }) => business_id);
}
