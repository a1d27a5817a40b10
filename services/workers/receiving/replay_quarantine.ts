import { messageOf } from "../../../lib/core/errors.ts";
import { journalEntries } from "../../../lib/contracts/shard/index.ts";
import type { JournalEntry, JournalStream } from "../../../lib/contracts/shard/index.ts";
import { discardQuarantined, entriesToReplay, failReplay, forPlatform } from "../../../lib/db/index.ts";
import type { QuarantinedEntry } from "../../../lib/db/index.ts";
import type { Handler } from "../../../lib/queues/index.ts";
import type { Deps } from "../deps.ts";
import { foreignBusinesses } from "./foreign_businesses.ts";
import { identitiesWriter } from "./identities.ts";
import { inboundWriter } from "./inbound.ts";
import { isRefusal } from "./journal.ts";
import type { WriteEntries } from "./journal.ts";
import { receiptsWriter } from "./receipts.ts";
import { sessionEventsWriter } from "./session_events.ts";

const pageSize = 50;
/** Characters of a reason: a parser's may quote much. */
const maxReason = 500;

type Writers = { [S in JournalStream]: WriteEntries<S> };

/**
 * Writes the quarantined journal entries whose replay an operator requested, oldest first. An entry leaves the
 * quarantine once it is written, and stays with the new reason if it is refused again. Idempotent.
 */
export function replayQuarantine(deps: Deps): Handler<"replay_quarantine"> {
  const scope = forPlatform(deps.db);
  const writers: Writers = {
    inbound: inboundWriter(deps),
    receipts: receiptsWriter(deps),
    events: sessionEventsWriter(deps),
    identities: identitiesWriter(deps),
  };
  return async ({ signal, stopping }) => {
    const counts = { replayed: 0, refused: 0 };
    let page: QuarantinedEntry[] = [];
    do {
      page = await entriesToReplay(scope, { after: page.at(-1)?.id, limit: pageSize });
      for (const row of page) {
        signal.throwIfAborted();
        if (stopping.aborted) return { counts, again: { inMs: 0, reason: "the worker is stopping" } };
        const refusal = await replay(deps, writers, row);
        if (refusal === undefined) {
          await discardQuarantined(scope, row.id);
          counts.replayed += 1;
        } else {
          await failReplay(scope, row.id, refusal.slice(0, maxReason));
          counts.refused += 1;
        }
      }
    } while (page.length === pageSize);
    return { counts };
  };
}

/** Undefined if the entry was written; otherwise the reason why not. Throws if that is no fault of the entry. */
async function replay(deps: Deps, writers: Writers, row: QuarantinedEntry): Promise<string | undefined> {
  if (!isStream(row.stream)) return `there is no stream "${row.stream}"`;
  return write(deps, row.stream, writers[row.stream] as WriteEntries<JournalStream>, row);
}

async function write<S extends JournalStream>(
  { db }: Deps,
  stream: S,
  writeEntries: WriteEntries<S>,
  { entry: json, shard }: QuarantinedEntry,
): Promise<string | undefined> {
  const parsed = journalEntries[stream].safeParse(JSON.parse(json));
  if (!parsed.success) return parsed.error.issues.map(({ path, code }) => `${path.join(".")}: ${code}`).join("; ");
  const entry = parsed.data as JournalEntry<S>;
  const foreign = await foreignBusinesses(db, shard, [entry.business_id]);
  if (foreign.size > 0) return "the business lives on another shard";
  try {
    await writeEntries([entry], shard);
    return undefined;
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return messageOf(error);
  }
}

const isStream = (name: string): name is JournalStream => Object.hasOwn(journalEntries, name);
