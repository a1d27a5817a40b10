import { sql } from "../client/literal.ts";
import type { Webhook } from "../schema.ts";
import type { BusinessScope } from "../scope.ts";

export async function getWebhook(scope: BusinessScope, id: string): Promise<Webhook | undefined> {
  const [webhook] = await scope.ask<Webhook[]>(
    sql`select * from webhooks where id = ${id} and business_id = ${scope.businessId} and deleted_at is null`,
  );
  return webhook;
}
