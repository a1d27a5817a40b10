import { toJson } from "../client/json.ts";
import type { WhatsappSession } from "../schema.ts";
import type { PlatformScope } from "../scope.ts";

/** A shard's report about a session. */
export type SessionReport = Omit<WhatsappSession, "updated_at">;

/**
 * Updates the mirror of many sessions in one statement. A report older than the row changes nothing; of several for one
 * business the latest counts. Returns how many rows changed.
 */
export async function upsertSessions(scope: PlatformScope, reports: SessionReport[]): Promise<number> {
  if (reports.length === 0) return 0;
  const latest = new Map<string, SessionReport>();
  for (const report of reports) {
    const known = latest.get(report.business_id);
    if (!known || report.observed_at >= known.observed_at) latest.set(report.business_id, report);
  }
  const changed = await scope.run(
    (sql) => sql`
      insert into whatsapp_sessions (business_id, shard, status, paired, phone, lid, name, reason, since, observed_at)
      select r.business_id, r.shard, r.status, r.paired, r.phone, r.lid, r.name, r.reason, r.since, r.observed_at
      from jsonb_to_recordset(${toJson([...latest.values()])}::text::jsonb)
        as r(business_id uuid, shard integer, status text, paired boolean, phone text, lid text, name text, reason text,
             since timestamptz, observed_at timestamptz)
      join businesses b on b.id = r.business_id and b.deleted_at is null
      order by r.business_id
      on conflict (business_id) do update
        set shard = excluded.shard, status = excluded.status, paired = excluded.paired, phone = excluded.phone,
            lid = excluded.lid, name = excluded.name, reason = excluded.reason, since = excluded.since,
            observed_at = excluded.observed_at, updated_at = now()
        where excluded.observed_at >= whatsapp_sessions.observed_at`,
  );
  return changed.count;
}
