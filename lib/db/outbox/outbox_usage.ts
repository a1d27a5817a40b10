import { sql } from "../client/literal.ts";
import type { BusinessScope } from "../scope.ts";

/**
 * Counts the unsent messages of a business and their bytes: queued messages, and pending recipients of unfinished
 * broadcasts. Reads at most `most` + 1 rows, so that the count stops just above a quota. Sizes are read without
 * detoasting.
 */
export async function outboxUsage(scope: BusinessScope, most: number): Promise<{ messages: number; bytes: number }> {
  const [used] = await scope.ask<[{ messages: number; bytes: number }]>(sql`
    select count(*)::integer as messages, coalesce(sum(bytes), 0)::float8 as bytes
    from (
      (
        select coalesce(octet_length(text), 0) + coalesce(pg_column_size(content), 0) as bytes
        from messages where business_id = ${scope.businessId} and status = 'queued' limit ${most + 1}
      )
      union all
      (
        select coalesce(r.text_length, 0) + pg_column_size(r.fields) as bytes
        from broadcasts b join broadcast_recipients r on r.broadcast_id = b.id and r.status = 'pending'
        where b.business_id = ${scope.businessId} and b.status in ('draft', 'scheduled', 'running', 'paused')
          limit ${most + 1}
      )
      limit ${most + 1}
    ) queued`);
  return used;
}
