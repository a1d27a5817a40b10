import { eq, sql } from "drizzle-orm";
import { sharedDate } from "../../core/time.ts";
import { fetchRows, query } from "../query.ts";
import { atomically } from "../scope.ts";
import type { BusinessScope } from "../scope.ts";
import { ownWebhook } from "./get_webhook.ts";
import { webhooks } from "./schema.ts";
import type { Webhook } from "./schema.ts";

export type WebhookChanges = {
  url?: string | undefined;
  description?: string | undefined;
  events?: string[] | undefined;
  ordered?: boolean | undefined;
  max_concurrency?: number | undefined;
  /** "active" also resets the failures, so that pending deliveries are attempted now. */
  status?: "active" | "disabled" | undefined;
};

/**
 * Updates the given fields; undefined if the webhook does not exist. `check` sees the locked webhook and may throw to
 * refuse the update.
 */
export function updateWebhook(
  scope: BusinessScope,
  id: string,
  changes: WebhookChanges,
  check: (current: Webhook) => void = () => {},
): Promise<Webhook | undefined> {
  return atomically(scope, async (inner) => {
    const [current] = await fetchRows(inner, query.select().from(webhooks).where(ownWebhook(scope, id)).for("update"));
    if (current === undefined) return undefined;
    check(current);
    const { url, description, events, ordered, max_concurrency } = changes;
    const [changed] = await fetchRows(
      inner,
      query
        .update(webhooks)
        .set({
          url,
          description,
          events,
          ordered,
          max_concurrency,
          ...healthAfter(current, changes),
          // Later than any health recorded before, even within one millisecond, so that this health is discarded.
          updated_at: sql`greatest(now(), ${webhooks.updated_at} + interval '1 millisecond')`,
        })
        .where(eq(webhooks.id, id))
        .returning(),
    );
    return changed;
  });
}

/** A change of the status resets the health. */
function healthAfter(current: Webhook, { status }: WebhookChanges): Partial<Webhook> {
  if (status === undefined) return {};
  const status_since = status === current.status ? current.status_since : sharedDate();
  const status_reason = status === "active" ? null : "Disabled by its owner.";
  return { status, status_since, status_reason, failures: 0, failing_since: null, next_attempt_at: null };
}
