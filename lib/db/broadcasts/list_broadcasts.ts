import { and, desc, eq, lt } from "drizzle-orm";
import { fetchRows, query } from "../query.ts";
import type { BusinessScope } from "../scope.ts";
import { broadcasts } from "./schema.ts";
import type { Broadcast } from "./schema.ts";

/** The broadcasts of a business, newest first. */
export function listBroadcasts(
  scope: BusinessScope,
  { before, limit }: { before?: string | undefined; limit: number },
): Promise<Broadcast[]> {
  return fetchRows(
    scope,
    query
      .select()
      .from(broadcasts)
      .where(
        and(eq(broadcasts.business_id, scope.businessId), before === undefined ? undefined : lt(broadcasts.id, before)),
      )
      .orderBy(desc(broadcasts.id))
      .limit(limit),
  );
}
