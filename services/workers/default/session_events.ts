import { forPlatform, upsertSessions } from "../../../lib/db/index.ts";
import type { SessionReport } from "../../../lib/db/index.ts";
import type { Handler } from "../../../lib/queues/index.ts";
import type { JournalEntry } from "../../../lib/shard-client/index.ts";
import type { Deps } from "../deps.ts";
import { drainJournal } from "../journal.ts";

/** Brings what a shard says of its sessions to Postgres. A session that opened gets its outbox sent at once. */
export function sessionEvents(deps: Deps): Handler<"session_events"> {
  const scope = forPlatform(deps.db);
  return (run) =>
    drainJournal(deps, run, "events", async (entries, shard) => {
      await upsertSessions(
        scope,
        entries.map((entry) => sessionReport(entry, shard)),
      );
      const opened = new Set(entries.filter(({ data }) => data.status === "open").map(({ business_id }) => business_id));
      // One whose wake-up fails is woken by the sweep.
      await Promise.allSettled([...opened].map((business_id) => deps.producer.wake("send", { business_id }, { expedite: true })));
    });
}

function sessionReport({ business_id, at, data }: JournalEntry<"events">, shard: number): SessionReport {
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
