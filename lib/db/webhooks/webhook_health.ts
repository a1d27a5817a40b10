import { sharedDate } from "../../core/time.ts";
import { sql } from "../client/literal.ts";
import type { Webhook } from "../schema.ts";
import type { PlatformScope } from "../scope.ts";

export type WebhookHealth = Pick<
  Webhook,
  "status" | "status_reason" | "failures" | "failing_since" | "next_attempt_at"
>;

/** An endpoint that deliveries may be made to now: not deleted, not disabled, not left alone for a while, and its business there. */
export async function findDeliverable(scope: PlatformScope, id: string): Promise<Webhook | undefined> {
  const [webhook] = await scope.ask<Webhook[]>(sql`
    select w.* from webhooks w join businesses b on b.id = w.business_id and b.deleted_at is null
    where w.id = ${id} and w.deleted_at is null and w.status <> 'disabled'
      and (w.next_attempt_at is null or w.next_attempt_at <= now())`);
  return webhook;
}

/**
 * Writes down how an endpoint fares, unless its owner changed it after `seen`: what was learned before that says
 * nothing of what it is now. Returns whether it was written.
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
        -- Measured by the caller's clock, kept by Postgres': the two may differ.
        next_attempt_at = now() + (${next_attempt_at}::timestamptz - ${sharedDate()}::timestamptz)
    where id = ${id} and updated_at = ${seen} and deleted_at is null and status <> 'disabled'
    returning id`);
  return rows.length > 0;
}
