import { sql } from "../client/literal.ts";
import type { Media } from "../schema.ts";
import type { PlatformScope } from "../scope.ts";

export type MediaRetention = {
  /** Days for which unused media is kept. */
  orphanDays: number;
  /** Days for which media is kept after its last use in a message; null: permanently. */
  usedDays: number | null;
};

export type Condemned = Pick<Media, "id" | "storage_key" | "thumbnail_key">;

/**
 * Marks media for removal from the store, at most `limit`: deleted, unused and expired media, media whose writer never
 * finished, and all media of deleted businesses. No request returns them afterwards.
 */
export async function condemnMedia(
  scope: PlatformScope,
  { orphanDays, usedDays }: MediaRetention,
  limit: number,
): Promise<Condemned[]> {
  return scope.ask<Condemned[]>(sql`
    update media set deleted_at = coalesce(media.deleted_at, now())
    from (
      select m.id, m.used_at from media m join businesses b on b.id = m.business_id
      where m.deleted_at is not null
         or b.deleted_at is not null
         or (m.used_at is null and m.created_at < now() - make_interval(days => ${orphanDays}::integer))
         or (m.status = 'writing' and m.created_at < now() - interval '1 day')
         or m.used_at < now() - make_interval(days => ${usedDays}::integer)
      limit ${limit} for update of m skip locked
    ) old
    -- A message that uses it concurrently keeps it.
    where media.id = old.id and media.used_at is not distinct from old.used_at
    returning media.id, media.storage_key, media.thumbnail_key`);
}

/** Deletes the rows of media whose content was removed from the store. */
export async function forgetMedia(scope: PlatformScope, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  await scope.ask(sql`delete from media where id = any(${ids}::uuid[]) and deleted_at is not null`);
}
