import { sql } from "../client/literal.ts";
import type { PlatformScope } from "../scope.ts";

/** The businesses that have due work of each kind. */
export type DueMedia = {
  fetches: string[];
  uploads: string[];
  /** With stored media that no one has described. */
  undescribed: string[];
};

/** Lists businesses with due media, at most `limit` of each kind, those that have waited longest first. */
export async function dueMedia(scope: PlatformScope, limit: number): Promise<DueMedia> {
  const [row] = await scope.ask<[DueMedia]>(sql`
    select
      (select coalesce(jsonb_agg(business_id), '[]') from (
        select business_id from media_fetches where next_attempt_at <= now()
        group by business_id order by min(next_attempt_at) limit ${limit}) f) as fetches,
      (select coalesce(jsonb_agg(business_id), '[]') from (
        select business_id from media_uploads where status = 'pending' and next_attempt_at <= now()
        group by business_id order by min(next_attempt_at) limit ${limit}) u) as uploads,
      (select coalesce(jsonb_agg(business_id), '[]') from (
        select business_id from media
        where status = 'stored' and described_at is null and deleted_at is null
          and created_at < now() - interval '30 seconds'
        group by business_id order by min(created_at) limit ${limit}) m) as undescribed`);
  return row;
}
