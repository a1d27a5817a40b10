import { condemnMedia, forgetMedia, forPlatform } from "../../../lib/db/index.ts";
import type { Handler } from "../../../lib/queues/index.ts";
import type { Deps } from "../deps.ts";

const pageSize = 100;

/** Deletes media past their retention: the content from the store, then the row. */
export function removeMedia({
  db,
  media,
  retention,
}: Pick<Deps, "db" | "media" | "retention">): Handler<"remove_media"> {
  const scope = forPlatform(db);
  return async ({ signal, stopping }) => {
    const counts = { removed: 0 };
    if (media === null) return { counts };
    for (;;) {
      signal.throwIfAborted();
      if (stopping.aborted) return { counts, again: { inMs: 0, reason: "the worker is stopping" } };
      const page = await condemnMedia(scope, retention.media, pageSize);
      for (const { storage_key, thumbnail_key } of page) {
        // In this order, so that the row names whatever is left after a failure.
        if (thumbnail_key !== null) await media.store.delete(thumbnail_key);
        await media.store.delete(storage_key);
      }
      await forgetMedia(
        scope,
        page.map(({ id }) => id),
      );
      counts.removed += page.length;
      if (page.length < pageSize) return { counts };
    }
  };
}
