import { sql } from "../client/literal.ts";
import type { AuditEvent } from "../schema.ts";
import type { PlatformScope } from "../scope.ts";

/** Writes down what is about to be done. */
export async function insertAuditEvent(scope: PlatformScope, event: Omit<AuditEvent, "at" | "status">): Promise<void> {
  const { id, key_id, key_prefix, method, path, business_id, request_id } = event;
  await scope.ask(sql`
    insert into audit_events (id, key_id, key_prefix, method, path, business_id, request_id)
    values (${id}, ${key_id}, ${key_prefix}, ${method}, ${path}, ${business_id}, ${request_id})`);
}

/** Writes down how it was answered. */
export async function completeAuditEvent(scope: PlatformScope, id: string, status: number): Promise<void> {
  await scope.ask(sql`update audit_events set status = ${status} where id = ${id}`);
}

export type AuditFilter = {
  business_id?: string | undefined;
  key_id?: string | undefined;
  before?: string | undefined;
  limit: number;
};

/** What was done, newest first. */
export function listAuditEvents(
  scope: PlatformScope,
  { business_id, key_id, before, limit }: AuditFilter,
): Promise<AuditEvent[]> {
  return scope.ask<AuditEvent[]>(sql`
    select * from audit_events
    where true
      ${business_id === undefined ? sql`` : sql`and business_id = ${business_id}`}
      ${key_id === undefined ? sql`` : sql`and key_id = ${key_id}`}
      ${before === undefined ? sql`` : sql`and id < ${before}`}
    order by id desc
    limit ${limit}`);
}
