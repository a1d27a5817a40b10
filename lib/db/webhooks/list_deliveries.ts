import { sql } from "../client/literal.ts";
import type { DeliveryStatus, WebhookDelivery } from "../schema.ts";
import type { BusinessScope } from "../scope.ts";

export type DeliveryFilter = {
  status?: DeliveryStatus | undefined;
  event?: string | undefined;
  /** Only deliveries older than this one. */
  before?: string | undefined;
  limit: number;
};

/** Deliveries to one endpoint, newest first. */
export function listDeliveries(
  scope: BusinessScope,
  webhookId: string,
  filter: DeliveryFilter,
): Promise<WebhookDelivery[]> {
  const { status, event, before, limit } = filter;
  return scope.ask<WebhookDelivery[]>(sql`
    select * from webhook_deliveries
    where webhook_id = ${webhookId} and business_id = ${scope.businessId}
      ${status === undefined ? sql`` : sql`and status = ${status}`}
      ${event === undefined ? sql`` : sql`and event = ${event}`}
      ${before === undefined ? sql`` : sql`and id < ${before}`}
    order by id desc
    limit ${limit}`);
}
