import { and, desc, eq, lt } from "drizzle-orm";
import { execute, fetchRows, query } from "../query.ts";
import type { PlatformScope } from "../scope.ts";
import { auditEvents } from "./schema.ts";
import type { AuditEvent } from "./schema.ts";

/** Records a change before it is made. */
export async function insertAuditEvent(scope: PlatformScope, event: Omit<AuditEvent, "at" | "status">): Promise<void> {
  await execute(scope, query.insert(auditEvents).values(event));
}

/** Records the status of the response. */
export async function completeAuditEvent(scope: PlatformScope, id: string, status: number): Promise<void> {
  await execute(scope, query.update(auditEvents).set({ status }).where(eq(auditEvents.id, id)));
}

export type AuditFilter = {
  business_id?: string | undefined;
  key_id?: string | undefined;
  before?: string | undefined;
  limit: number;
};

/** Recorded changes, newest first. */
export function listAuditEvents(
  scope: PlatformScope,
  { business_id, key_id, before, limit }: AuditFilter,
): Promise<AuditEvent[]> {
  return fetchRows(
    scope,
    query
      .select()
      .from(auditEvents)
      .where(
        and(
          business_id === undefined ? undefined : eq(auditEvents.business_id, business_id),
          key_id === undefined ? undefined : eq(auditEvents.key_id, key_id),
          before === undefined ? undefined : lt(auditEvents.id, before),
        ),
      )
      .orderBy(desc(auditEvents.id))
      .limit(limit),
  );
}
