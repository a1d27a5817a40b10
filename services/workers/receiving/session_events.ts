import { forPlatform, listStatusReceivers, sessionStates, upsertSessions } from "../../../lib/db/index.ts";
import type { SessionReport } from "../../../lib/db/index.ts";
import { commitWithEvents } from "../../../lib/events/index.ts";
import type { Event } from "../../../lib/events/index.ts";
import type { Handler } from "../../../lib/queues/index.ts";
import type { JournalEntry } from "../../../lib/contracts/shard/index.ts";
import type { Deps } from "../deps.ts";
import { drainJournal } from "./journal.ts";
import type { WriteEntries } from "./journal.ts";
import { passkeyStepped, sessionChanged, statusPosted } from "../events/domain_events.ts";
import { wakeOutboxes } from "../sending/wake_outboxes.ts";

/** Drains a shard's session events into Postgres. */
export function sessionEvents(deps: Deps): Handler<"session_events"> {
  const write = sessionEventsWriter(deps);
  return (run) => drainJournal(deps, run, "events", write);
}

/** Writes session events to Postgres. A session that opens wakes its outboxes at once. */
export function sessionEventsWriter(deps: Deps): WriteEntries<"events"> {
  const scope = forPlatform(deps.db);
  return async (entries, shard) => {
    const reported = entries.map((entry) => ({ entry, report: sessionReport(entry, shard) }));
    const reports = reported.flatMap(({ report }) => report ?? []);
    await commitWithEvents(deps.publishEvents, scope, async (together) => {
      const known = await sessionStates(together, [...new Set(reports.map(({ business_id }) => business_id))]);
      await upsertSessions(together, reports);
      const changes = new Set(changesOf(reports, known));
      const receivers = new Set(await listStatusReceivers(together, postersTo(entries)));
      return {
        result: undefined,
        events: reported.flatMap(({ entry, report }): Event[] => {
          if (report !== undefined) return changes.has(report) ? [sessionChanged(report)] : [];
          return [...passkeyStepped(entry), ...(receivers.has(entry.business_id) ? statusPosted(entry) : [])];
        }),
      };
    });
    const opened = new Set(reports.filter(({ status }) => status === "open").map(({ business_id }) => business_id));
    await wakeOutboxes(deps, [...opened]);
  };
}

/** The businesses whose contacts posted statuses. A shard may not know yet that they are no longer wanted. */
function postersTo(entries: readonly JournalEntry<"events">[]): string[] {
  const ids = entries.flatMap(({ business_id, data }) => (data.event === "status.received" ? business_id : []));
  return [...new Set(ids)];
}

/** Reports that change a session's status. Reports older than the known one are ignored. */
export function changesOf(
  reports: readonly SessionReport[],
  known: ReadonlyMap<string, Pick<SessionReport, "status" | "observed_at">>,
): SessionReport[] {
  const latest = new Map(known);
  return reports.filter((report) => {
    const last = latest.get(report.business_id);
    if (last !== undefined && report.observed_at < last.observed_at) return false;
    latest.set(report.business_id, report);
    return report.status !== last?.status;
  });
}

/** Undefined for an entry that reports no status. */
function sessionReport({ business_id, at, data }: JournalEntry<"events">, shard: number): SessionReport | undefined {
  if (data.event !== "session.status") return undefined;
  return {
    business_id,
    shard,
    status: data.status,
    paired: data.paired,
    phone: data.phone ?? null,
    lid: data.lid ?? null,
    name: data.name ?? null,
    reason: data.reason ?? null,
    since: new Date(data.since),
    observed_at: at,
  };
}
