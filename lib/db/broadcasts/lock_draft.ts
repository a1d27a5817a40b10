import { and, eq } from "drizzle-orm";
import { fetchRows, query } from "../query.ts";
import type { BusinessScope } from "../scope.ts";
import { broadcasts } from "./schema.ts";

/** Locks a draft until the transaction ends; a start or another import waits. Returns whether the draft exists. */
export async function lockDraft(scope: BusinessScope, broadcastId: string): Promise<boolean> {
  const { id, business_id, status } = broadcasts;
  const rows = await fetchRows(
    scope,
    query
      .select({ id })
      .from(broadcasts)
      .where(and(eq(id, broadcastId), eq(business_id, scope.businessId), eq(status, "draft")))
      .for("update"),
  );
  return rows.length > 0;
}
