import type { Webhook } from "../schema.ts";
import type { BusinessScope } from "../scope.ts";

export type NewWebhook = Pick<
  Webhook,
  "id" | "url" | "description" | "events" | "ordered" | "max_concurrency" | "secret"
>;

/** Stores an endpoint; "full" where the business has `most` already, undefined where there is no such business. */
export function insertWebhook(
  scope: BusinessScope,
  webhook: NewWebhook,
  most: number,
): Promise<Webhook | "full" | undefined> {
  return scope.run(async (sql) => {
    // The lock makes two at once count each other.
    const [business] =
      await sql`select from businesses where id = ${scope.businessId} and deleted_at is null for update`;
    if (business === undefined) return undefined;
    const [present] = await sql<[{ count: number }]>`
      select count(*)::integer as count from webhooks where business_id = ${scope.businessId} and deleted_at is null`;
    if (present.count >= most) return "full";
    const { id, url, description, events, ordered, max_concurrency, secret } = webhook;
    const [inserted] = await sql<[Webhook]>`
      insert into webhooks (id, business_id, url, description, events, ordered, max_concurrency, secret)
      values (${id}, ${scope.businessId}, ${url}, ${description}, ${sql.array(events)}, ${ordered}, ${max_concurrency}, ${secret})
      returning *`;
    return inserted;
  });
}
