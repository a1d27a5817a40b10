import { sql } from "../client/literal.ts";
import type { Webhook, WebhookDelivery } from "../schema.ts";
import type { PlatformScope } from "../scope.ts";

export type DueDelivery = Pick<WebhookDelivery, "id" | "event" | "chat" | "payload" | "attempts" | "expires_at">;

/**
 * Claims the due deliveries of an endpoint, in order; the caller holds the endpoint's lease. For an ordered endpoint, a
 * delivery that waits for its next attempt blocks its chat. Expired deliveries become dead. Hand-written SQL, because
 * it runs for every dispatch.
 */
export function dueDeliveries(
  scope: PlatformScope,
  { id, ordered }: Pick<Webhook, "id" | "ordered">,
  limit: number,
): Promise<DueDelivery[]> {
  const isEarlier = sql`(earlier.place, earlier.id) < (d.place, d.id)`;
  return scope.ask<DueDelivery[]>(sql`
    with ended as (
      -- In order of id, as every bulk statement on this table locks, so that two of them never deadlock.
      select id from webhook_deliveries
      where webhook_id = ${id} and status = 'pending' and expires_at <= now()
      order by id for update
    ), expired as (
      update webhook_deliveries set status = 'dead', next_attempt_at = null,
        last_error = coalesce(last_error, 'It expired before it could be tried.')
      where id = any (array(select id from ended))
    )
    select d.id, d.event, d.chat, d.payload, d.attempts, d.expires_at
    from webhook_deliveries d
    where d.webhook_id = ${id} and d.status = 'pending' and d.next_attempt_at <= now() and d.expires_at > now()
      ${
        ordered
          ? sql`and not exists (
              select from webhook_deliveries earlier
              where earlier.webhook_id = d.webhook_id and earlier.status = 'pending'
                and earlier.chat is not distinct from d.chat and ${isEarlier}
                and earlier.next_attempt_at > now() and earlier.expires_at > now())`
          : sql``
      }
    order by d.place, d.id
    limit ${limit}`);
}
