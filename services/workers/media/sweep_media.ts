import { dueMedia, forPlatform } from "../../../lib/db/index.ts";
import type { Handler } from "../../../lib/queues/index.ts";
import type { Deps } from "../deps.ts";

const pageSize = 500;

/** Wakes the jobs of due fetches, uploads and descriptions. Most are enqueued already; deduplication drops those. */
export function sweepMedia({ db, producer, media }: Pick<Deps, "db" | "producer" | "media">): Handler<"sweep_media"> {
  const scope = forPlatform(db);
  return async () => {
    if (media === null) return { counts: { fetches: 0, uploads: 0, undescribed: 0 } };
    const { fetches, uploads, undescribed } = await dueMedia(scope, pageSize);
    await Promise.all([
      ...fetches.map((fetch) => producer.wake("fetch_media", fetch)),
      ...uploads.map((upload) => producer.wake("prepare_media", upload)),
      ...undescribed.map((one) => producer.wake("describe_media", one)),
    ]);
    return { counts: { fetches: fetches.length, uploads: uploads.length, undescribed: undescribed.length } };
  };
}
