import { and, desc, eq, getTableColumns, lt } from "drizzle-orm";
import { fetchRows, query } from "../query.ts";
import type { BusinessScope } from "../scope.ts";
import { webhookDeliveries } from "./schema.ts";
import type { DeliveryStatus, WebhookDelivery } from "./schema.ts";

export type DeliveryFilter = {
  status?: DeliveryStatus | undefined;
  event?: string | undefined;
  /** Only deliveries older than this one. */
  before?: string | undefined;
  limit: number;
};

/** A delivery without its payload, which may have 800 KB. */
export type ListedDelivery = Omit<WebhookDelivery, "payload">;

const { payload: _payload, ...listed } = getTableColumns(webhookDeliveries);

/** The deliveries of a webhook, newest first. */
export function listDeliveries(
  scope: BusinessScope,
  webhookId: string,
  { status, event, before, limit }: DeliveryFilter,
): Promise<ListedDelivery[]> {
  const { id, webhook_id, business_id } = webhookDeliveries;
  return fetchRows(
    scope,
    query
      .select(listed)
      .from(webhookDeliveries)
      .where(
        and(
          eq(webhook_id, webhookId),
          eq(business_id, scope.businessId),
          status === undefined ? undefined : eq(webhookDeliveries.status, status),
          event === undefined ? undefined : eq(webhookDeliveries.event, event),
          before === undefined ? undefined : lt(id, before),
        ),
      )
      .orderBy(desc(id))
      .limit(limit),
  );
}
