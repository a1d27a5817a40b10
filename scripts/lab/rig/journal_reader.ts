import { AppError } from "../../../lib/core/errors.ts";
import type { JournalEntry, JournalStream } from "../../../lib/contracts/shard/index.ts";
import type { ShardProcess } from "./shard.ts";

/** Between two looks at a stream that was empty, ms: what a wake-up takes through Redis. */
const pauseMs = 50;

export type JournalReader = {
  /** Nothing is read while this is so: as when Postgres is away. */
  paused: boolean;
  /** Reads what is left and ends. */
  stop(): Promise<void>;
};

/**
 * What the journal's workers do: takes the entries of a stream, and lets the shard forget them once `take` has
 * returned.
 */
export function readJournal<S extends JournalStream>(
  shard: ShardProcess,
  stream: S,
  take: (entries: JournalEntry<S>[]) => void,
): JournalReader {
  let stopping = false;
  const reader = { paused: false, stop: () => ((stopping = true), over) };
  const over = (async () => {
    for (;;) {
      const last = stopping;
      const read = reader.paused ? 0 : await readPage(shard, stream, take);
      if (last && read === 0) return;
      if (read === 0) await Bun.sleep(pauseMs);
    }
  })();
  return reader;
}

async function readPage<S extends JournalStream>(
  shard: ShardProcess,
  stream: S,
  take: (entries: JournalEntry<S>[]) => void,
): Promise<number> {
  try {
    const page = await shard.client.readJournal(shard.location, stream);
    if (page.rejected.length > 0)
      throw new Error(`the journal holds entries that break their schema: ${JSON.stringify(page.rejected[0])}`);
    if (page.through === null) return 0;
    take(page.entries);
    await shard.client.ackJournal(shard.location, stream, page.through);
    return page.entries.length;
  } catch (error) {
    // The shard is away: it comes back, and has kept everything.
    if (error instanceof AppError && (error.code === "unavailable" || error.code === "upstream_timeout")) return 0;
    throw error;
  }
}
