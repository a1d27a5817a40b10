import { and, eq, isNull } from "drizzle-orm";
import { businesses } from "../businesses/schema.ts";
import type { Business } from "../businesses/schema.ts";
import { sql } from "../client/literal.ts";
import { fetchRows, now, query } from "../query.ts";
import { atomically } from "../scope.ts";
import type { BusinessScope } from "../scope.ts";
import { dueNow } from "./due_now.ts";
import { isPaced } from "./paced.ts";

/** Sets the sending pace of a business and makes its paced messages due. Undefined if the business does not exist. */
export function setPacing(scope: BusinessScope, pacing: Business["pacing"]): Promise<Business | undefined> {
  return atomically(scope, async (inside) => {
    const [business] = await fetchRows(
      inside,
      query
        .update(businesses)
        .set({ pacing, updated_at: now })
        .where(and(eq(businesses.id, scope.businessId), isNull(businesses.deleted_at)))
        .returning(),
    );
    if (business) await releasePaced(inside);
    return business;
  });
}

/**
 * Makes every paced message due, so that the shard decides about it again. Hand-written SQL: shares the outbox's terms.
 */
export async function releasePaced(scope: BusinessScope): Promise<void> {
  await scope.ask(sql`
    update messages m set next_attempt_at = ${dueNow}, wait_reason = null
    from (
      -- In order of id, as every bulk statement on this table locks, so that two of them never deadlock.
      select id from messages where business_id = ${scope.businessId} and ${isPaced} order by id for update
    ) locked
    where m.id = locked.id`);
}
