import { and, eq } from "drizzle-orm";
import { fetchRows, query } from "../query.ts";
import type { BusinessScope } from "../scope.ts";
import { webhookDeliveries } from "./schema.ts";
import type { WebhookDelivery } from "./schema.ts";

export async function getDelivery(
  scope: BusinessScope,
  webhookId: string,
  deliveryId: string,
): Promise<WebhookDelivery | undefined> {
  const { id, webhook_id, business_id } = webhookDeliveries;
  const [delivery] = await fetchRows(
    scope,
    query
      .select()
      .from(webhookDeliveries)
      .where(and(eq(id, deliveryId), eq(webhook_id, webhookId), eq(business_id, scope.businessId))),
  );
  return delivery;
}
