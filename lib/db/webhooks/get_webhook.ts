import { and, eq, isNull } from "drizzle-orm";
import { fetchRows, query } from "../query.ts";
import type { BusinessScope } from "../scope.ts";
import { webhooks } from "./schema.ts";
import type { Webhook } from "./schema.ts";

/** Matches a webhook of the business that is not deleted. */
export const ownWebhook = (scope: BusinessScope, id: string) =>
  and(eq(webhooks.id, id), eq(webhooks.business_id, scope.businessId), isNull(webhooks.deleted_at));

export async function getWebhook(scope: BusinessScope, id: string): Promise<Webhook | undefined> {
  const [webhook] = await fetchRows(scope, query.select().from(webhooks).where(ownWebhook(scope, id)));
  return webhook;
}
