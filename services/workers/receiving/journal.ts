import { sharedDate } from "../../../lib/core/time.ts";
import { AppError, messageOf } from "../../../lib/core/errors.ts";
import { backoff } from "../../../lib/core/retry.ts";
import type { JobName, Run, RunResult } from "../../../lib/queues/index.ts";
import { forPlatform, quarantineEntries } from "../../../lib/db/index.ts";
import type { JournalEntry, JournalStream, RejectedEntry } from "../../../lib/contracts/shard/index.ts";
import type { Deps } from "../deps.ts";
import { withLease } from "../lease.ts";
import { strangersOf } from "./residents.ts";

/** Writes entries to Postgres, all or none; to write some of them again changes nothing. */
export type WriteEntries<S extends JournalStream> = (entries: JournalEntry<S>[], shard: number) => Promise<void>;

type ShardJob = Extract<JobName, "inbound" | "receipts" | "session_events">;

const heldMs = 500;
const awayDelay = { baseMs: 250, maxMs: 2_000 };

/**
 * Tries in a row, about half a minute, after which a shard that cannot be reached is left alone: a shard wakes again
 * for as long as its journal is not empty, and one that was scaled away never does.
 */
const patience = 20;

/** Brings one stream of one shard's journal to Postgres until it is empty. One run at a time for each. */
export async function drainJournal<S extends JournalStream>(
  deps: Deps,
  run: Run<ShardJob>,
  stream: S,
  write: WriteEntries<S>,
): Promise<RunResult> {
  const key = `prosaas:lease:journal:${run.payload.shard}:${stream}`;
  const result = await withLease(deps, key, (lost) => drain(deps, run, stream, write, lost));
  return result ?? { again: { inMs: heldMs, reason: "another worker reads this journal" } };
}

async function drain<S extends JournalStream>(
  deps: Deps,
  run: Run<ShardJob>,
  stream: S,
  write: WriteEntries<S>,
  lost: AbortSignal,
): Promise<RunResult> {
  const { shard } = run.payload;
  const counts = { written: 0, quarantined: 0 };
  const again = (inMs: number, reason: string): RunResult => ({
    counts,
    again: { inMs, reason, progressed: counts.written + counts.quarantined > 0 },
  });

  try {
    for (;;) {
      run.signal.throwIfAborted();
      if (lost.aborted) return again(heldMs, "the lease ran out");
      if (run.stopping.aborted) return again(0, "the worker is stopping");

      const at = deps.router.shard(shard);
      const { entries, rejected, through, more } = await deps.shards.readJournal(at, stream);
      if (through === null) return { counts };
      const refused: RejectedEntry[] = [...rejected];
      const strangers = await strangersOf(
        deps.db,
        shard,
        entries.map(({ business_id }) => business_id),
      );
      for (const entry of entries) {
        if (!strangers.has(entry.business_id)) continue;
        refused.push({
          seq: entry.seq,
          business_id: entry.business_id,
          reason: "the business lives on another shard",
          entry,
        });
      }
      await writeAround(
        strangers.size === 0 ? entries : entries.filter(({ business_id }) => !strangers.has(business_id)),
        (some) => write(some, shard),
        (entry, error) =>
          refused.push({ seq: entry.seq, business_id: entry.business_id, reason: messageOf(error), entry }),
      );
      await quarantine(deps, shard, stream, refused);
      // Only now: what is acknowledged is forgotten by the shard.
      await deps.shards.ackJournal(at, stream, through);
      const written = entries.length + rejected.length - refused.length;
      counts.written += written;
      counts.quarantined += refused.length;
      deps.metrics.journaled(stream, written);
      if (!more) return { counts };
    }
  } catch (error) {
    if (!isTransient(error)) throw error;
    const attempt = counts.written + counts.quarantined > 0 ? 1 : run.attempt;
    if (attempt >= patience) return { counts };
    return again(backoff({ attempt, ...awayDelay }), error.message);
  }
}

/**
 * Writes all entries, in order. Where their content is refused, halving finds the ones at fault, which are left out.
 * Every other failure is thrown, so that a fault of ours never empties a journal.
 */
export async function writeAround<E>(
  entries: E[],
  write: (entries: E[]) => Promise<void>,
  leaveOut: (entry: E, error: unknown) => void,
): Promise<void> {
  const [only] = entries;
  if (only === undefined) return;
  try {
    await write(entries);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    if (entries.length === 1) {
      leaveOut(only, error);
      return;
    }
    const middle = Math.ceil(entries.length / 2);
    await writeAround(entries.slice(0, middle), write, leaveOut);
    await writeAround(entries.slice(middle), write, leaveOut);
  }
}

/** One entry must not hold up the stream: it is set aside, named in the log without its content, and left behind. */
async function quarantine(
  { db, logger, metrics }: Pick<Deps, "db" | "logger" | "metrics">,
  shard: number,
  stream: JournalStream,
  refused: readonly RejectedEntry[],
): Promise<void> {
  const at = sharedDate();
  await quarantineEntries(
    forPlatform(db),
    refused.map(({ seq, business_id, reason, entry }) => ({ shard, stream, seq, business_id, reason, entry, at })),
  );
  for (const { seq, business_id, reason } of refused) {
    metrics.quarantined(stream);
    logger.error({ shard, stream, seq, business_id, reason }, "journal entry quarantined");
  }
}

function isTransient(error: unknown): error is AppError {
  return error instanceof AppError && (error.code === "unavailable" || error.code === "upstream_timeout");
}

/**
 * SQLSTATE classes 22 (data exception), 23 (integrity constraint) and 54 (program limit, such as a key too long for an
 * index): this content can never be written.
 */
function isRefusal(error: unknown): boolean {
  return (
    error instanceof Error && "code" in error && typeof error.code === "string" && /^(22|23|54)...$/.test(error.code)
  );
}
