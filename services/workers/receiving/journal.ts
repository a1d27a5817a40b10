import { messageOf } from "../../../lib/core/errors.ts";
import { sharedDate, sharedNow } from "../../../lib/core/time.ts";
import { forPlatform, quarantineEntries } from "../../../lib/db/index.ts";
import type { JobName, Run, RunResult } from "../../../lib/queues/index.ts";
import type { JournalEntry, JournalStream, RejectedEntry } from "../../../lib/contracts/shard/index.ts";
import type { Deps } from "../deps.ts";
import { takeTurn } from "../turn.ts";
import type { Step, TurnOptions } from "../turn.ts";
import { foreignBusinesses } from "./foreign_businesses.ts";

/** Writes entries to Postgres, all or none. Idempotent. */
export type WriteEntries<S extends JournalStream> = (entries: JournalEntry<S>[], shard: number) => Promise<void>;

type ShardJob = Extract<JobName, "inbound" | "receipts" | "session_events" | "identities">;
type Counts = { written: number; quarantined: number };

const heldMs = 500;
const retryDelay = { baseMs: 250, maxMs: 2_000 };

/**
 * Attempts in a row, about half a minute, after which the job stops polling an unavailable shard: a shard wakes the job
 * for as long as its journal has entries, and a shard that was scaled down never does.
 */
const maxAttempts = 20;

/** Attempts in a row at a whole batch. */
const wholeAttempts = 2;
/** The first attempt at one entry: a batch has at most a thousand. */
const singleAttempt = wholeAttempts + 3;

/** Drains one stream of a shard's journal into Postgres. One run at a time for each stream. */
export async function drainJournal<S extends JournalStream>(
  deps: Deps,
  run: Run<ShardJob>,
  stream: S,
  write: WriteEntries<S>,
): Promise<RunResult> {
  const { shard } = run.payload;
  const counts: Counts = { written: 0, quarantined: 0 };
  const options: TurnOptions<Counts> = {
    lease: `prosaas:lease:journal:${shard}:${stream}`,
    heldMs,
    counts,
    hasProgressed: () => counts.written + counts.quarantined > 0,
    retryDelay,
    maxAttempts,
  };

  return takeTurn(deps, run, options, (turn) =>
    turn.repeat(async (): Promise<Step> => {
      const at = deps.router.shard(shard);
      const attempt = turn.attempt();
      const { entries, rejected, through, more } = shortened(await deps.shards.readJournal(at, stream), attempt);
      if (through === null) return "done";
      const { accepted, refused } = await withoutForeign(deps, shard, entries);
      refused.unshift(...rejected);
      await writeAround(
        accepted,
        (some) => write(some, shard),
        (entry, error) => refused.push(refusalOf(entry, messageOf(error))),
        attempt < singleAttempt ? isRefusal : isRefusalOrTimeout,
      );
      await quarantine(deps, shard, stream, refused);
      // Last, because the shard deletes acknowledged entries.
      await deps.shards.ackJournal(at, stream, through);
      const written = entries.length + rejected.length - refused.length;
      counts.written += written;
      counts.quarantined += refused.length;
      deps.metrics.journaled(stream, written);
      return more ? "more" : "done";
    }),
  );
}

type Batch = { entries: { seq: number }[]; rejected: { seq: number }[]; through: number | null; more: boolean };

/**
 * The first entries of a batch: a tenth of them after each further attempt, down to one. Finds an entry that costs
 * Postgres more time than a statement has, and makes progress up to it.
 */
export function shortened<B extends Batch>(batch: B, attempt: number): B {
  const { entries, rejected } = batch;
  const last = entries[Math.ceil(entries.length / 10 ** Math.max(0, attempt - wholeAttempts)) - 1];
  if (last === undefined || last === entries.at(-1)) return batch;
  const isWithin = ({ seq }: { seq: number }) => seq <= last.seq;
  const first = { entries: entries.filter(isWithin), rejected: rejected.filter(isWithin) };
  return { ...batch, ...first, through: last.seq, more: true };
}

/** Separates entries of businesses that live on another shard. */
async function withoutForeign<S extends JournalStream>(
  { db }: Pick<Deps, "db">,
  shard: number,
  entries: JournalEntry<S>[],
): Promise<{ accepted: JournalEntry<S>[]; refused: RejectedEntry[] }> {
  const ids = entries.map(({ business_id }) => business_id);
  const foreign = await foreignBusinesses(db, shard, ids);
  if (foreign.size === 0) return { accepted: entries, refused: [] };
  const isForeign = ({ business_id }: JournalEntry<S>) => foreign.has(business_id);
  return {
    accepted: entries.filter((entry) => !isForeign(entry)),
    refused: entries.filter(isForeign).map((entry) => refusalOf(entry, "the business lives on another shard")),
  };
}

function refusalOf(entry: JournalEntry<JournalStream>, reason: string): RejectedEntry {
  return { seq: entry.seq, business_id: entry.business_id, reason, entry };
}

/**
 * Writes all entries, in order. If Postgres refuses their content, bisects to find the faulty ones, which are left out.
 * Throws every other error, so that a fault of ours never empties a journal.
 */
export async function writeAround<E>(
  entries: E[],
  write: (entries: E[]) => Promise<void>,
  leaveOut: (entry: E, error: unknown) => void,
  isRefused: (error: unknown) => boolean = isRefusal,
): Promise<void> {
  const [only] = entries;
  if (only === undefined) return;
  try {
    await write(entries);
  } catch (error) {
    if (!isRefused(error)) throw error;
    if (entries.length === 1) {
      leaveOut(only, error);
      return;
    }
    const middle = Math.ceil(entries.length / 2);
    await writeAround(entries.slice(0, middle), write, leaveOut, isRefused);
    await writeAround(entries.slice(middle), write, leaveOut, isRefused);
  }
}

/** Stores and logs refused entries, so that none blocks the stream. The log omits their content. */
async function quarantine(
  { db, logger, metrics }: Pick<Deps, "db" | "logger" | "metrics">,
  shard: number,
  stream: JournalStream,
  refused: readonly RejectedEntry[],
): Promise<void> {
  await quarantineEntries(
    forPlatform(db),
    refused.map(({ entry, ...rest }) => ({ ...rest, shard, stream, entry, at: journaledAt(entry) })),
  );
  for (const { seq, business_id, reason } of refused) {
    metrics.quarantined(stream);
    logger.error({ shard, stream, seq, business_id, reason }, "journal entry quarantined");
  }
}

/**
 * When the shard journaled an entry. The same at each attempt, so that an entry that was not acknowledged is not
 * quarantined twice. The present for an entry without a valid time.
 */
function journaledAt(entry: unknown): Date {
  const given = typeof entry === "object" && entry !== null && "at" in entry ? entry.at : undefined;
  const at = new Date(given instanceof Date || typeof given === "string" ? given : Number.NaN).getTime();
  return at >= 0 && at <= sharedNow() ? new Date(at) : sharedDate();
}

/**
 * SQLSTATE classes 22 (data exception), 23 (integrity constraint) and 54 (program limit, such as a key too long for an
 * index): Postgres will never accept this content.
 */
export function isRefusal(error: unknown): boolean {
  return (
    error instanceof Error && "code" in error && typeof error.code === "string" && /^(22|23|54)...$/.test(error.code)
  );
}

/** True also for the end of a statement that took too long. */
export function isRefusalOrTimeout(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  return isRefusal(error) || (cause instanceof Error && "code" in cause && cause.code === "57014");
}
