import { and, eq, inArray, isNull, notInArray } from "drizzle-orm";
import { broadcasts } from "../broadcasts/schema.ts";
import { phoneNumbers } from "../calls/schema.ts";
import { apiKeys } from "../keys/schema.ts";
import { messages } from "../messages/schema.ts";
import { execute, now, query } from "../query.ts";
import { atomically } from "../scope.ts";
import type { BusinessScope } from "../scope.ts";
import { whatsappSessions } from "../sessions/schema.ts";
import { businesses } from "./schema.ts";

/**
 * Deletes a business: no caller finds it, its keys end and its queued messages fail, all in one transaction. Returns
 * whether it existed. Its rows stay until retention removes them.
 */
export function deleteBusiness(scope: BusinessScope): Promise<boolean> {
  const id = scope.businessId;
  return atomically(scope, async (inner) => {
    const deleted = await execute(
      inner,
      query
        .update(businesses)
        .set({ deleted_at: now, updated_at: now })
        .where(and(eq(businesses.id, id), isNull(businesses.deleted_at))),
    );
    if (deleted === 0) return false;
    await execute(
      inner,
      query
        .update(apiKeys)
        .set({ revoked_at: now })
        .where(and(eq(apiKeys.business_id, id), isNull(apiKeys.revoked_at))),
    );
    // The numbers belong to the carrier account, which may assign them to another business.
    await execute(inner, query.delete(phoneNumbers).where(eq(phoneNumbers.business_id, id)));
    await execute(inner, query.delete(whatsappSessions).where(eq(whatsappSessions.business_id, id)));
    await execute(
      inner,
      query
        .update(broadcasts)
        .set({ status: "cancelled", ended_at: now, updated_at: now })
        .where(and(eq(broadcasts.business_id, id), notInArray(broadcasts.status, ["completed", "cancelled"]))),
    );
    // In order of id, as every bulk statement on this table locks, so that two of them never deadlock.
    const queued = query
      .select({ id: messages.id })
      .from(messages)
      .where(and(eq(messages.business_id, id), eq(messages.status, "queued")))
      .orderBy(messages.id)
      .for("update");
    await execute(
      inner,
      query
        .update(messages)
        .set({
          status: "failed",
          failed_at: now,
          next_attempt_at: null,
          wait_reason: null,
          error_code: "business_deleted",
          error_message: "The business was deleted before it could be sent.",
        })
        .where(inArray(messages.id, queued)),
    );
    return true;
  });
}
