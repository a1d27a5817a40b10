import {
  forgetRecordings,
  forPlatform,
  listDeletedBusinesses,
  listStoredRecordings,
  purgeBusiness,
} from "../../../lib/db/index.ts";
import type { PlatformScope } from "../../../lib/db/index.ts";
import { eventsOf } from "../../../lib/events/index.ts";
import type { Handler } from "../../../lib/queues/index.ts";
import type { Deps } from "../deps.ts";

const pageSize = 100;
/** Rows of each table per statement, so that none runs long. */
const batch = 1_000;
const filesAtOnce = 100;

type PurgeDeps = Pick<Deps, "db" | "media" | "redis" | "retention">;

/**
 * Purges deleted businesses past their retention: recordings from the store, rows in batches, live events from Redis.
 * `remove_media` deletes the files of messages first; a business with files left waits. Every step is idempotent.
 */
export function purgeBusinesses({ db, media, redis, retention }: PurgeDeps): Handler<"purge_businesses"> {
  const scope = forPlatform(db);
  const days = retention.businessDays;

  return async ({ signal, stopping }) => {
    const counts = { businesses: 0, rows: 0, recordings: 0 };
    let page: string[] = [];
    do {
      page = await listDeletedBusinesses(scope, { days, after: page.at(-1), limit: pageSize });
      for (const id of page) {
        counts.recordings += await removeRecordings(scope, media, id, signal);
        let removed: number;
        do {
          signal.throwIfAborted();
          if (stopping.aborted) return { counts, again: { inMs: 0, reason: "the worker is stopping" } };
          removed = await purgeBusiness(scope, id, { days, batch });
          counts.rows += removed;
        } while (removed > 0);
        await redis.del(eventsOf(id));
        counts.businesses += 1;
      }
    } while (page.length === pageSize);
    return { counts };
  };
}

async function removeRecordings(
  scope: PlatformScope,
  media: Deps["media"],
  businessId: string,
  signal: AbortSignal,
): Promise<number> {
  let removed = 0;
  for (let page = filesAtOnce; media !== null && page === filesAtOnce;) {
    signal.throwIfAborted();
    const recordings = await listStoredRecordings(scope, businessId, filesAtOnce);
    // In this order, so that the row names whatever is left after a failure.
    for (const { storage_key } of recordings) await media.store.delete(storage_key);
    await forgetRecordings(
      scope,
      recordings.map(({ recording_sid }) => recording_sid),
    );
    page = recordings.length;
    removed += page;
  }
  return removed;
}
