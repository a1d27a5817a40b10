import { sql } from "../client/literal.ts";
import type { Webhook } from "../schema.ts";
import type { BusinessScope } from "../scope.ts";

/** The endpoints of a business, newest first. */
export function listWebhooks(
  scope: BusinessScope,
  { before, limit }: { before?: string | undefined; limit: number },
): Promise<Webhook[]> {
  return scope.ask<Webhook[]>(sql`
    select * from webhooks
    where business_id = ${scope.businessId} and deleted_at is null ${before === undefined ? sql`` : sql`and id < ${before}`}
    order by id desc
    limit ${limit}`);
}
