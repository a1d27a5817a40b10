import { and, eq, isNull, sql } from "drizzle-orm";
import { businesses } from "../businesses/schema.ts";
import { fetchRows, query } from "../query.ts";
import { atomically } from "../scope.ts";
import type { BusinessScope } from "../scope.ts";
import { webhooks } from "./schema.ts";
import type { Webhook } from "./schema.ts";

export type NewWebhook = Pick<
  Webhook,
  "id" | "url" | "description" | "events" | "ordered" | "max_concurrency" | "secret"
>;

const count = sql<number>`count(*)::integer`.as("count");

/** Stores a webhook; "full" if the business already has `most`, undefined if the business does not exist. */
export function insertWebhook(
  scope: BusinessScope,
  { id, url, description, events, ordered, max_concurrency, secret }: NewWebhook,
  most: number,
): Promise<Webhook | "full" | undefined> {
  const business_id = scope.businessId;
  return atomically(scope, async (inner) => {
    // The lock makes concurrent inserts count each other.
    const [business] = await fetchRows(
      inner,
      query
        .select({ id: businesses.id })
        .from(businesses)
        .where(and(eq(businesses.id, business_id), isNull(businesses.deleted_at)))
        .for("update"),
    );
    if (business === undefined) return undefined;
    const [present] = await fetchRows(
      inner,
      query
        .select({ count })
        .from(webhooks)
        .where(and(eq(webhooks.business_id, business_id), isNull(webhooks.deleted_at))),
    );
    if (present!.count >= most) return "full";
    const values = { id, business_id, url, description, events, ordered, max_concurrency, secret };
    const [inserted] = await fetchRows(inner, query.insert(webhooks).values(values).returning());
    return inserted;
  });
}
