import type { Redis } from "ioredis";
import { answerOf } from "../redis/errors.ts";
import { createScript } from "../redis/script.ts";
import { liveEntry } from "./entry.ts";
import { allEvents, eventsOf, limits as defaultLimits, recentKey, streamPrefix, tallyKey } from "./stream.ts";
import type { LiveEvent, StreamLimits } from "./stream.ts";
import { memoryGuard } from "./memory_guard.ts";
import publishLua from "./publish_events.lua" with { type: "text" };

/*
 * Live events are appended to Redis streams after the commit and kept there for up to a day. NOTIFY would serialise
 * commits on a database-wide lock and lose the events of disconnected readers; a table would cost two writes a receipt.
 * A consumer that must not miss an event uses a webhook, whose delivery is written in the transaction itself. A reader
 * that may have missed one receives `reset` and fetches the state again.
 *
 * Live events are the least important data in Redis: entries are small (entry.ts), streams are bounded by entries,
 * bytes and age (stream.ts), and appending pauses while Redis is nearly full (memory_guard.ts).
 */

const publishScript = createScript(publishLua);

/** Events of one script run, which blocks Redis for less than a millisecond. */
const pageSize = 100;

export type LiveStream = {
  /** @throws AppError "unavailable" if Redis cannot be reached. */
  append(events: readonly LiveEvent[]): Promise<boolean>;
};

export function createLiveStream(redis: Redis): LiveStream {
  return { append: (events) => appendEvents(redis, events) };
}

/**
 * Appends events in order. Returns false if Redis is too full for live events: they are dropped, and every reader
 * receives `reset` once appending resumes. Services emit events instead (emit.ts).
 * @throws AppError "unavailable" if Redis cannot be reached.
 */
export async function appendEvents(
  redis: Redis,
  events: readonly LiveEvent[],
  limits: StreamLimits = defaultLimits,
): Promise<boolean> {
  if (events.length === 0) return true;
  const guard = memoryGuard(redis);
  if (guard.isPaused()) {
    guard.noteDropped(events.length);
    return false;
  }
  for (let start = 0; start < events.length; start += pageSize) {
    const page = events.slice(start, start + pageSize);
    try {
      await appendPage(redis, page, limits);
    } catch (error) {
      if (!isOutOfMemory(error)) throw error;
      guard.noteDropped(events.length - start);
      await guard.pause();
      return false;
    }
  }
  return true;
}

async function appendPage(redis: Redis, events: readonly LiveEvent[], limits: StreamLimits): Promise<void> {
  const businesses = [...new Set(events.map(({ business_id }) => business_id))];
  const numberOf = new Map(businesses.map((id, n) => [id, n + 1]));
  const { all, business, totalBytes, keptMs } = limits;
  const bounds = [all.entries, all.bytes, business.entries, business.bytes, totalBytes, keptMs, streamPrefix];
  const entries = events.flatMap((event) => [
    numberOf.get(event.business_id)!,
    event.business_id,
    JSON.stringify(liveEntry(event)),
  ]);
  await answerOf(
    publishScript(redis, [allEvents, tallyKey, recentKey, ...businesses.map(eventsOf)], [...bounds, ...entries]),
  );
}

/** A Redis at its maxmemory refuses writes that add data. */
function isOutOfMemory(error: unknown): boolean {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return cause instanceof Error && cause.message.startsWith("OOM");
}
