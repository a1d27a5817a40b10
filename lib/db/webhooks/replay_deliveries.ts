import { uuidv7Floor } from "../../core/ids.ts";
import type { DeliveryStatus } from "../schema.ts";
import type { BusinessScope } from "../scope.ts";
import { deliveryLifeHours } from "./insert_deliveries.ts";

export type ReplayChoice =
  | { id: string }
  | { from: Date; to: Date; status: Exclude<DeliveryStatus, "pending">; most: number };

/**
 * Delivers again what was delivered or is dead, under the same webhook-id; returns how many. One that is still pending
 * is tried now. Of a range the oldest `most` are taken: the rest is had by the same call again, once these are done.
 */
export async function replayDeliveries(scope: BusinessScope, webhookId: string, choice: ReplayChoice): Promise<number> {
  const updated = await scope.run(
    (sql) => sql`
      with chosen as (
        select d.id from webhook_deliveries d
        where d.webhook_id = ${webhookId} and d.business_id = ${scope.businessId}
          and ${
            "id" in choice
              ? sql`d.id = ${choice.id}`
              : sql`d.status = ${choice.status} and d.id >= ${uuidv7Floor(choice.from.getTime())} and d.id < ${uuidv7Floor(choice.to.getTime())}`
          }
        order by d.id
        limit ${"id" in choice ? 1 : choice.most}
        for update of d
      )
      update webhook_deliveries d
      set status = 'pending', attempts = 0, next_attempt_at = date_trunc('milliseconds', now()), delivered_at = null,
          expires_at = now() + make_interval(hours => ${deliveryLifeHours}::integer)
      from chosen where d.id = chosen.id`,
  );
  return updated.count;
}
