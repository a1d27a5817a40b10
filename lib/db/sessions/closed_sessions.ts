import { sql } from "../client/literal.ts";
import type { PlatformScope } from "../scope.ts";

/** Sessions with a linked phone that are not open, for one reason. */
export type ClosedSessions = {
  status: string;
  reason: string | null;
  sessions: number;
  /** When the first of them was closed. */
  since: Date;
  /** One of them. */
  business_id: string;
};

/** Counts linked sessions that are not open, by status and reason; the most frequent reasons first. */
export function closedSessions(scope: PlatformScope, { limit }: { limit: number }): Promise<ClosedSessions[]> {
  return scope.ask(sql`
    select s.status, s.reason, count(*)::int as sessions, min(s.since) as since,
           (array_agg(s.business_id order by s.since))[1] as business_id
    from whatsapp_sessions s join businesses b on b.id = s.business_id
    where b.deleted_at is null and s.paired and s.status <> 'open'
    group by s.status, s.reason order by count(*) desc, s.status, s.reason limit ${limit}`);
}
