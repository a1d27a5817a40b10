import type { Webhook } from "../../schema/index.ts";
import type { BusinessScope } from "../../scope.ts";

export type WebhookChanges = {
  url?: string | undefined;
  description?: string | undefined;
  events?: string[] | undefined;
  ordered?: boolean | undefined;
  max_concurrency?: number | undefined;
  /** "active" also forgets its failures: everything pending is tried now. */
  status?: "active" | "disabled" | undefined;
};

/** Changes what is given and leaves the rest; undefined when there is no such endpoint. */
export async function updateWebhook(scope: BusinessScope, id: string, changes: WebhookChanges): Promise<Webhook | undefined> {
  const { url, description, events, ordered, max_concurrency, status } = changes;
  const [webhook] = await scope.run(
    (sql) => sql<Webhook[]>`
      update webhooks
      set url = coalesce(${url ?? null}, url),
          description = coalesce(${description ?? null}, description),
          events = coalesce(${events === undefined ? null : sql.array(events)}, events),
          ordered = coalesce(${ordered ?? null}, ordered),
          max_concurrency = coalesce(${max_concurrency ?? null}, max_concurrency),
          updated_at = now()
          ${
            status === undefined
              ? sql``
              : sql`, status = ${status}, status_since = case when status = ${status} then status_since else now() end,
                      status_reason = ${status === "active" ? null : "Disabled by its owner."},
                      failures = 0, failing_since = null, next_attempt_at = null`
          }
      where id = ${id} and business_id = ${scope.businessId} and deleted_at is null
      returning *`,
  );
  return webhook;
}
