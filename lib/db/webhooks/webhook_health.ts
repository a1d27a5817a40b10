import { sharedDate } from "../../core/time.ts";
import { sql } from "../client/literal.ts";
import type { Webhook } from "../schema.ts";
import type { PlatformScope } from "../scope.ts";

export type WebhookHealth = Pick<
  Webhook,
  "status" | "status_reason" | "failures" | "failing_since" | "next_attempt_at"
>;

/**
 * Finds an endpoint that may receive deliveries now: neither deleted, disabled nor backing off, of an existing
 * business.
 */
export async function findDeliverable(scope: PlatformScope, id: string): Promise<Webhook | undefined> {
  const [webhook] = await scope.ask<Webhook[]>(sql`
    select w.* from webhooks w join businesses b on b.id = w.business_id and b.deleted_at is null
    where w.id = ${id} and w.deleted_at is null and w.status <> 'disabled'
      and (w.next_attempt_at is null or w.next_attempt_at <= now())`);
  return webhook;
}

/**
 * Records the health of an endpoint, unless its owner changed it after `seen`: observations before a change are
 * obsolete. Returns whether it was recorded.
 */
export async function recordHealth(
  scope: PlatformScope,
  id: string,
  health: WebhookHealth,
  seen: Date,
): Promise<boolean> {
  const { status, status_reason, failures, failing_since, next_attempt_at } = health;
  const rows = await scope.ask<{ id: string }[]>(sql`
    update webhooks
    set status_since = case when status = ${status} then status_since else now() end,
        status = ${status}, status_reason = ${status_reason}, failures = ${failures}, failing_since = ${failing_since},
        -- Measured by the caller's clock and added to Postgres' clock, because the two may differ.
        next_attempt_at = now() + (${next_attempt_at}::timestamptz - ${sharedDate()}::timestamptz)
    where id = ${id} and updated_at = ${seen} and deleted_at is null and status <> 'disabled'
    returning id`);
  return rows.length > 0;
}
