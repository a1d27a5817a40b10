import { AppError } from "../../../lib/core/errors.ts";
import type { JournalEntry, JournalStream } from "../../../lib/contracts/shard/index.ts";
import type { ShardProcess } from "./shard.ts";

/** Pause after an empty read, ms: about the time of a wake-up through Redis. */
const pauseMs = 50;

export type JournalReader = {
  /** Stops reading, as when Postgres is unavailable. */
  paused: boolean;
  /** Reads the rest and stops. */
  stop(): Promise<void>;
};

/** Reads a stream as the journal's workers do; the shard may delete entries once `take` has returned. */
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
    // The shard is unavailable; it keeps its journal and will return.
    if (error instanceof AppError && (error.code === "unavailable" || error.code === "upstream_timeout")) return 0;
    throw error;
  }
}
