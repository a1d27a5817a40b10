import { and, desc, eq, isNull, lt } from "drizzle-orm";
import { fetchRows, query } from "../query.ts";
import type { BusinessScope } from "../scope.ts";
import { webhooks } from "./schema.ts";
import type { Webhook } from "./schema.ts";

/** The webhooks of a business, newest first. */
export function listWebhooks(
  scope: BusinessScope,
  { before, limit }: { before?: string | undefined; limit: number },
): Promise<Webhook[]> {
  return fetchRows(
    scope,
    query
      .select()
      .from(webhooks)
      .where(
        and(
          eq(webhooks.business_id, scope.businessId),
          isNull(webhooks.deleted_at),
          before === undefined ? undefined : lt(webhooks.id, before),
        ),
      )
      .orderBy(desc(webhooks.id))
      .limit(limit),
  );
}
