import { uuidv7 } from "../../core/ids.ts";
import { sql } from "../client/literal.ts";
import type { AuditRead } from "../schema.ts";
import type { PlatformScope } from "../scope.ts";
import type { AuditFilter } from "./audit_events.ts";

export type ReadCount = Pick<AuditRead, "key_id" | "key_prefix" | "business_id" | "reads">;

/** Adds counts to the rows of the present hour, by the database's clock. Each key and business occurs once. */
export async function addAuditReads(scope: PlatformScope, counts: readonly ReadCount[]): Promise<void> {
  if (counts.length === 0) return;
  const column = (name: keyof ReadCount) => counts.map((count) => String(count[name]));
  await scope.ask(sql`
    insert into audit_reads (id, key_id, key_prefix, business_id, hour, reads, last_at)
    select id, key_id, key_prefix, business_id, date_trunc('hour', now()), reads, now()
    from unnest(${counts.map(() => uuidv7())}::uuid[], ${column("key_id")}::uuid[], ${column("key_prefix")}::text[],
                ${column("business_id")}::uuid[], ${column("reads")}::bigint[]) as r (id, key_id, key_prefix, business_id, reads)
    order by key_id, business_id
    on conflict (key_id, business_id, hour) do update set reads = audit_reads.reads + excluded.reads, last_at = excluded.last_at`);
}

/** Who read what, newest first. */
export function listAuditReads(
  scope: PlatformScope,
  { business_id, key_id, before, limit }: AuditFilter,
): Promise<AuditRead[]> {
  return scope.ask<AuditRead[]>(sql`
    select id, key_id, key_prefix, business_id, hour, reads::float8 as reads, last_at from audit_reads
    where true
      ${business_id === undefined ? sql`` : sql`and business_id = ${business_id}`}
      ${key_id === undefined ? sql`` : sql`and key_id = ${key_id}`}
      ${before === undefined ? sql`` : sql`and id < ${before}`}
    order by id desc
    limit ${limit}`);
}
