import { and, eq, inArray } from "drizzle-orm";
import { execute, now, query } from "../query.ts";
import { atomically } from "../scope.ts";
import type { BusinessScope } from "../scope.ts";
import { ownWebhook } from "./get_webhook.ts";
import { webhookDeliveries, webhooks } from "./schema.ts";

/** Deletes a webhook and marks its pending deliveries dead. Returns whether the webhook existed. */
export function deleteWebhook(scope: BusinessScope, id: string): Promise<boolean> {
  const { id: delivery_id, webhook_id, business_id, status } = webhookDeliveries;
  return atomically(scope, async (inner) => {
    const deleted = await execute(
      inner,
      query.update(webhooks).set({ deleted_at: now, updated_at: now }).where(ownWebhook(scope, id)),
    );
    if (deleted === 0) return false;
    // In order of id, as every bulk statement on this table locks, so that two of them never deadlock.
    const pending = query
      .select({ id: delivery_id })
      .from(webhookDeliveries)
      .where(and(eq(webhook_id, id), eq(business_id, scope.businessId), eq(status, "pending")))
      .orderBy(delivery_id)
      .for("update");
    await execute(
      inner,
      query
        .update(webhookDeliveries)
        .set({ status: "dead", next_attempt_at: null, last_error: "The endpoint was deleted." })
        .where(inArray(delivery_id, pending)),
    );
    return true;
  });
}
