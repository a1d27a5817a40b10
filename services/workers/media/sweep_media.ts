import { dueMedia, forPlatform } from "../../../lib/db/index.ts";
import type { Handler } from "../../../lib/queues/index.ts";
import type { Deps } from "../deps.ts";

const pageSize = 500;

/** Wakes the jobs of businesses with due media. Most are enqueued already; deduplication drops those. */
export function sweepMedia({ db, producer, media }: Pick<Deps, "db" | "producer" | "media">): Handler<"sweep_media"> {
  const scope = forPlatform(db);
  return async () => {
    if (media === null) return { counts: { fetches: 0, uploads: 0, undescribed: 0 } };
    const { fetches, uploads, undescribed } = await dueMedia(scope, pageSize);
    await Promise.all([
      ...fetches.map((business_id) => producer.wake("fetch_media", { business_id })),
      ...uploads.map((business_id) => producer.wake("prepare_media", { business_id })),
      ...undescribed.map((business_id) => producer.wake("describe_media", { business_id })),
    ]);
    return { counts: { fetches: fetches.length, uploads: uploads.length, undescribed: undescribed.length } };
  };
}
