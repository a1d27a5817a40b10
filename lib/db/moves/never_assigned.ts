import { sql } from "../client/literal.ts";
import type { PlatformScope } from "../scope.ts";

/**
 * Returns the businesses that are assigned to another shard and were never assigned or moved to this one. A business
 * without a shard is not among them.
 */
export async function listNeverAssigned(
  scope: PlatformScope,
  shard: number,
  businessIds: readonly string[],
): Promise<string[]> {
  const rows = await scope.ask<{ id: string }[]>(sql`
    select b.id
    from businesses b left join whatsapp_sessions w on w.business_id = b.id
    where b.id = any(${[...businessIds]}::uuid[]) and coalesce(b.whatsapp_shard, w.shard) <> ${shard}::integer
      and not exists (select from moves m where m.business_id = b.id and ${shard}::integer
        in (m.from_shard, m.to_shard))`);
  return rows.map(({ id }) => id);
}
