import { sql } from "../client/literal.ts";
import type { MediaUpload } from "../schema.ts";
import type { PlatformScope } from "../scope.ts";

export type DueMedia = {
  fetches: { business_id: string; message_id: string }[];
  uploads: Pick<MediaUpload, "business_id" | "media_id" | "kind">[];
  /** Stored media without a description of its content. */
  undescribed: { business_id: string; media_id: string }[];
};

/** Lists media with due work, oldest first; at most `limit` of each kind. */
export async function dueMedia(scope: PlatformScope, limit: number): Promise<DueMedia> {
  const [row] = await scope.ask<[DueMedia]>(sql`
    select
      (select coalesce(jsonb_agg(f), '[]') from (
        select business_id, message_id from media_fetches where next_attempt_at <= now() order by next_attempt_at
          limit ${limit}) f) as fetches,
      (select coalesce(jsonb_agg(u), '[]') from (
        select business_id, media_id, kind from media_uploads
        where status = 'pending' and next_attempt_at <= now() order by next_attempt_at limit ${limit}) u) as uploads,
      (select coalesce(jsonb_agg(m), '[]') from (
        select business_id, id as media_id from media
        where status = 'stored' and described_at is null and deleted_at is null
          and created_at < now() - interval '30 seconds'
        order by created_at limit ${limit}) m) as undescribed`);
  return row;
}
