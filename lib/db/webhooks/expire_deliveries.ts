import { sql } from "../client/literal.ts";
import type { PlatformScope } from "../scope.ts";

/**
 * Marks expired deliveries as dead, those of paused and disabled endpoints, which no dispatch claims. Returns how many.
 */
export async function expireDeliveries(scope: PlatformScope, limit: number): Promise<number> {
  const rows = await scope.ask<{ id: string }[]>(sql`
    update webhook_deliveries d
    set status = 'dead', next_attempt_at = null, last_error = coalesce(d.last_error,
      'It expired before it could be tried.')
    where d.id in (
      select id from webhook_deliveries where status = 'pending' and expires_at <= now() order by expires_at
        limit ${limit}
      for update skip locked)
    returning d.id`);
  return rows.length;
}
