import { sql } from "../client/literal.ts";
import type { BusinessScope } from "../scope.ts";

/** Locks a draft until the transaction ends; returns whether there is one. A start or another import waits for it. */
export async function lockDraft(scope: BusinessScope, broadcastId: string): Promise<boolean> {
  const rows = await scope.ask<{ id: string }[]>(sql`
    select id from broadcasts where id = ${broadcastId} and business_id = ${scope.businessId} and status = 'draft' for update`);
  return rows.length > 0;
}
