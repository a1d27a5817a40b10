import type { Redis } from "ioredis";
import { answerOf } from "../redis/errors.ts";
import { allEvents, eventsOf, isAfter, isGap, placed, tallyKey } from "./stream.ts";
import type { StreamedEvent } from "./stream.ts";

/** Entries of a page. Bounds what a stalled reader holds in memory: usually 30 KB, at most 200 KB. */
const pageSize = 100;

export type ReplayPage = {
  events: StreamedEvent[];
  /** Events before this page may be missing. */
  missed: boolean;
  /** Nothing came after this page when it was read. */
  isLast: boolean;
};

export type Replay = {
  /** @throws AppError "unavailable" where Redis cannot be reached. */
  next(): Promise<ReplayPage>;
};

/** Reads past events of a business, or of all (null), after `from`, a page at a time. */
export function createReplay(redis: Redis, businessId: string | null, from: string): Replay {
  const stream = businessId === null ? allEvents : eventsOf(businessId);
  let last = from;
  return {
    next: async () => {
      const entries = await answerOf(redis.xrange(stream, `(${last}`, "+", "COUNT", pageSize));
      // Checked after the read, so that entries trimmed between the two are noticed.
      const missed = await isMissing(redis, stream, last);
      last = entries.at(-1)?.[0] ?? last;
      const events = entries.flatMap((entry) => placed(entry) ?? []);
      return { events, missed: missed || entries.some(isGap), isLast: entries.length < pageSize };
    },
  };
}

/** True if events after `id` may have been removed from a stream. An id of the time 0 means its beginning. */
async function isMissing(redis: Redis, stream: string, id: string): Promise<boolean> {
  const [oldest] = await answerOf(redis.xrange(stream, "-", "+", "COUNT", 1));
  if (oldest === undefined) return true;
  if (!isAfter(oldest[0], id)) return false;
  const [horizon, trimmed] = await Promise.all([answerOf(redis.hget(tallyKey, "horizon")), wasTrimmed(redis, stream)]);
  const time = Number(id.split("-")[0]);
  return trimmed || (time > 0 && time < Number(horizon ?? 0));
}

/** A Redis before 7.0 does not count what was added: then entries may have been removed. */
async function wasTrimmed(redis: Redis, stream: string): Promise<boolean> {
  const fields = (await answerOf(redis.xinfo("STREAM", stream))) as unknown[];
  const valueOf = (name: string) => fields[fields.indexOf(name) + 1];
  return !fields.includes("entries-added") || valueOf("entries-added") !== valueOf("length");
}
