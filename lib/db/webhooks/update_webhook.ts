import { sharedDate } from "../../core/time.ts";
import type { Webhook } from "../schema.ts";
import type { BusinessScope } from "../scope.ts";

export type WebhookChanges = {
  url?: string | undefined;
  description?: string | undefined;
  events?: string[] | undefined;
  ordered?: boolean | undefined;
  max_concurrency?: number | undefined;
  /** "active" also forgets its failures: everything pending is tried now. */
  status?: "active" | "disabled" | undefined;
};

/**
 * Changes what is given and leaves the rest; undefined when there is no such endpoint. `check` sees the endpoint as it
 * is, locked, and throws if it is not as the caller thought.
 */
export function updateWebhook(
  scope: BusinessScope,
  id: string,
  changes: WebhookChanges,
  check: (present: Webhook) => void = () => {},
): Promise<Webhook | undefined> {
  return scope.run(async (sql) => {
    const [present] = await sql<Webhook[]>`
      select * from webhooks where id = ${id} and business_id = ${scope.businessId} and deleted_at is null for update`;
    if (present === undefined) return undefined;
    check(present);
    const { url, description, events, ordered, max_concurrency } = { ...present, ...defined(changes) };
    const { status, status_reason, status_since, failures, failing_since, next_attempt_at } = afterChange(
      present,
      changes,
    );
    const [changed] = await sql<Webhook[]>`
      update webhooks
      set url = ${url}, description = ${description}, events = ${sql.array(events)}, ordered = ${ordered},
          max_concurrency = ${max_concurrency}, status = ${status}, status_reason = ${status_reason}, status_since = ${status_since},
          failures = ${failures}, failing_since = ${failing_since}, next_attempt_at = ${next_attempt_at},
          -- Also where both fall into one millisecond, what was learned of it before counts no more.
          updated_at = greatest(now(), updated_at + interval '1 millisecond')
      where id = ${id}
      returning *`;
    return changed;
  });
}

function afterChange(present: Webhook, { status }: WebhookChanges): Webhook {
  if (status === undefined) return present;
  const status_since = status === present.status ? present.status_since : sharedDate();
  const status_reason = status === "active" ? null : "Disabled by its owner.";
  return { ...present, status, status_since, status_reason, failures: 0, failing_since: null, next_attempt_at: null };
}

function defined<T extends object>(changes: T): T {
  return Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined)) as T;
}
