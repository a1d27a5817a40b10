import { sql } from "../client/literal.ts";
import type { WebhookDelivery } from "../schema.ts";
import type { BusinessScope } from "../scope.ts";

export async function getDelivery(
  scope: BusinessScope,
  webhookId: string,
  id: string,
): Promise<WebhookDelivery | undefined> {
  const [delivery] = await scope.ask<WebhookDelivery[]>(sql`
    select * from webhook_deliveries where id = ${id} and webhook_id = ${webhookId} and business_id = ${scope.businessId}`);
  return delivery;
}
