import { uuidv7Floor } from "../../core/ids.ts";
import type { DeliveryStatus } from "../schema.ts";
import type { BusinessScope } from "../scope.ts";
import { deliveryLifeHours } from "./insert_deliveries.ts";

export type ReplayChoice =
  | { id: string }
  | { from: Date; to: Date; status: Exclude<DeliveryStatus, "pending">; most: number };

/**
 * Makes delivered or dead deliveries pending again, with their webhook-id; returns how many. A pending one is attempted
 * now. Of a range it replays the oldest `most`; repeat the call for the rest. Hand-written SQL: one statement locks up
 * to 10,000 rows in order and updates them.
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
              : sql`d.status = ${choice.status} and d.id >= ${uuidv7Floor(choice.from.getTime())}
                and d.id < ${uuidv7Floor(choice.to.getTime())}`
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
