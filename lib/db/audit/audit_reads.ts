import { uuidv7 } from "../../core/ids.ts";
import { and, desc, eq, lt, sql as expression } from "drizzle-orm";
import { sql } from "../client/literal.ts";
import { fetchRows, query } from "../query.ts";
import type { PlatformScope } from "../scope.ts";
import type { AuditFilter } from "./audit_events.ts";
import { auditReads } from "./schema_reads.ts";
import type { AuditRead } from "./schema_reads.ts";

export type ReadCount = Pick<AuditRead, "key_id" | "key_prefix" | "business_id" | "reads">;

/**
 * Adds counts to the rows of the current hour, by the database's clock. Each pair of key and business occurs once.
 * Hand-written SQL: one statement upserts up to 1,000 rows from arrays, in an order that cannot deadlock.
 */
export async function addAuditReads(scope: PlatformScope, counts: readonly ReadCount[]): Promise<void> {
  if (counts.length === 0) return;
  const column = (name: keyof ReadCount) => counts.map((count) => String(count[name]));
  await scope.ask(sql`
    insert into audit_reads (id, key_id, key_prefix, business_id, hour, reads, last_at)
    select id, key_id, key_prefix, business_id, date_trunc('hour', now()), reads, now()
    from unnest(${counts.map(() => uuidv7())}::uuid[], ${column("key_id")}::uuid[], ${column("key_prefix")}::text[],
                ${column("business_id")}::uuid[], ${column("reads")}::bigint[]) as r (id, key_id, key_prefix,
                  business_id, reads)
    order by key_id, business_id
    on conflict (key_id, business_id, hour) do update set reads = audit_reads.reads + excluded.reads,
      last_at = excluded.last_at`);
}

const { id, key_id, key_prefix, business_id, hour, last_at } = auditReads;
/** The driver returns a bigint as text. */
const reads = expression<number>`${auditReads.reads}::float8`.as("reads");

/** Counted reads, newest first. */
export function listAuditReads(scope: PlatformScope, filter: AuditFilter): Promise<AuditRead[]> {
  return fetchRows(
    scope,
    query
      .select({ id, key_id, key_prefix, business_id, hour, reads, last_at })
      .from(auditReads)
      .where(
        and(
          filter.business_id === undefined ? undefined : eq(business_id, filter.business_id),
          filter.key_id === undefined ? undefined : eq(key_id, filter.key_id),
          filter.before === undefined ? undefined : lt(id, filter.before),
        ),
      )
      .orderBy(desc(id))
      .limit(filter.limit),
  );
}
