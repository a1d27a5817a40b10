import { sql } from "../client/literal.ts";
import type { PlatformScope } from "../scope.ts";

/** The businesses that have due work of each kind. */
export type DueMedia = {
  fetches: string[];
  uploads: string[];
  /** With stored media that no one has described. */
  undescribed: string[];
};

/**
 * Lists businesses with due media, at most `limit` of each kind, those that have waited longest first. Steps through
 * the indexes from business to business (a loose index scan), so that one with many waiting files costs as much as one
 * with few. Media that wait for their description step through their numbers of attempts, too.
 */
export async function dueMedia(scope: PlatformScope, limit: number): Promise<DueMedia> {
  const [row] = await scope.ask<[DueMedia]>(sql`
    with recursive fetches as (
      (select business_id, next_attempt_at from media_fetches order by business_id, next_attempt_at limit 1)
      union all
      select following.* from fetches, lateral (
        select business_id, next_attempt_at from media_fetches
        where business_id > fetches.business_id
        order by business_id, next_attempt_at limit 1) following
    ), uploads as (
      (select business_id, next_attempt_at from media_uploads
       where status = 'pending' order by business_id, next_attempt_at limit 1)
      union all
      select following.* from uploads, lateral (
        select business_id, next_attempt_at from media_uploads
        where status = 'pending' and business_id > uploads.business_id
        order by business_id, next_attempt_at limit 1) following
    ), undescribed as (
      (select business_id, describe_attempts, created_at from media
       where status = 'stored' and described_at is null and deleted_at is null
       order by business_id, describe_attempts, created_at limit 1)
      union all
      select following.* from undescribed, lateral (
        select business_id, describe_attempts, created_at from media
        where status = 'stored' and described_at is null and deleted_at is null
          and (business_id, describe_attempts) > (undescribed.business_id, undescribed.describe_attempts)
        order by business_id, describe_attempts, created_at limit 1) following
    )
    select
      (select coalesce(jsonb_agg(business_id), '[]') from (
        select business_id from fetches where next_attempt_at <= now()
        order by next_attempt_at limit ${limit}) f) as fetches,
      (select coalesce(jsonb_agg(business_id), '[]') from (
        select business_id from uploads where next_attempt_at <= now()
        order by next_attempt_at limit ${limit}) u) as uploads,
      (select coalesce(jsonb_agg(business_id), '[]') from (
        select business_id from undescribed where created_at < now() - interval '30 seconds'
        group by business_id order by min(created_at) limit ${limit}) m) as undescribed`);
  return row;
}
