import { sql } from "../client/literal.ts";
import type { Webhook, WebhookDelivery } from "../schema.ts";
import type { PlatformScope } from "../scope.ts";

export type DueDelivery = Pick<WebhookDelivery, "id" | "event" | "chat" | "payload" | "attempts" | "expires_at">;

/**
 * What is to be delivered to an endpoint now, in order: the caller holds the endpoint's lease. Where order is asked
 * for, a conversation whose earlier delivery waits for its next attempt waits with it. What has expired is dead after
 * this call and not given out.
 */
export function dueDeliveries(
  scope: PlatformScope,
  { id, ordered }: Pick<Webhook, "id" | "ordered">,
  limit: number,
): Promise<DueDelivery[]> {
  return scope.ask<DueDelivery[]>(sql`
    with expired as (
      update webhook_deliveries set status = 'dead', next_attempt_at = null,
        last_error = coalesce(last_error, 'Its time was over before it could be tried.')
      where webhook_id = ${id} and status = 'pending' and expires_at <= now()
    )
    select d.id, d.event, d.chat, d.payload, d.attempts, d.expires_at
    from webhook_deliveries d
    where d.webhook_id = ${id} and d.status = 'pending' and d.next_attempt_at <= now() and d.expires_at > now()
      ${
        ordered
          ? sql`and not exists (
              select from webhook_deliveries earlier
              where earlier.webhook_id = d.webhook_id and earlier.status = 'pending' and earlier.chat is not distinct from d.chat
                and (earlier.place, earlier.id) < (d.place, d.id) and earlier.next_attempt_at > now() and earlier.expires_at > now())`
          : sql``
      }
    order by d.place, d.id
    limit ${limit}`);
}
