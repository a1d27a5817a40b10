import { sql } from "../client/literal.ts";
import type { Webhook, WebhookDelivery } from "../schema.ts";
import type { PlatformScope } from "../scope.ts";

export type DueDelivery = Pick<
  WebhookDelivery,
  "id" | "event" | "chat" | "payload" | "attempts" | "expires_at" | "trace"
>;

/**
 * Bytes of payloads in one claim; a larger delivery is claimed alone. A payload has up to 800 KB, since a contact
 * writes 65,536 characters that JSON escapes, and a process serves 32 endpoints at once.
 */
const maxClaimedBytes = 1024 * 1024;

/**
 * Claims the due deliveries of an endpoint, in order; the caller holds the endpoint's lease. For an ordered endpoint, a
 * delivery that waits for its next attempt blocks its chat. A claim ends at `maxClaimedBytes`; the next one goes on
 * behind it. Expired deliveries become dead. Hand-written SQL, because it runs for every dispatch.
 */
export function dueDeliveries(
  scope: PlatformScope,
  { id, ordered }: Pick<Webhook, "id" | "ordered">,
  limit: number,
): Promise<DueDelivery[]> {
  const order = sql`d.place, d.id`;
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
    ), due as (
      -- Postgres knows the size of a payload without reading it.
      select ${order}, octet_length(d.payload) as size
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
      order by ${order}
      limit ${limit}
    ), claimed as (
      select d.id, sum(d.size) over in_order as bytes, row_number() over in_order as number
      from due d window in_order as (order by ${order})
    )
    select d.id, d.event, d.chat, d.payload, d.attempts, d.expires_at, d.trace
    from claimed join webhook_deliveries d on d.id = claimed.id
    where claimed.bytes <= ${maxClaimedBytes} or claimed.number = 1
    order by claimed.number`);
}
