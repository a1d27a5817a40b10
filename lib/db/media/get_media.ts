import { and, eq, getTableColumns, isNull } from "drizzle-orm";
import { businesses } from "../businesses/schema.ts";
import { sql } from "../client/literal.ts";
import { execute, fetchRows, now, prepared, query } from "../query.ts";
import type { BusinessScope } from "../scope.ts";
import { media } from "./schema.ts";
import type { Media } from "./schema.ts";

/** Matches stored media of the business that are not deleted. */
const stored = (scope: BusinessScope, id: string) =>
  and(eq(media.id, id), eq(media.business_id, scope.businessId), eq(media.status, "stored"), isNull(media.deleted_at));

// Built once, because it runs for every download.
const findStored = prepared(["id", "business_id"], ({ id, business_id }) =>
  query
    .select(getTableColumns(media))
    .from(media)
    .innerJoin(businesses, and(eq(businesses.id, media.business_id), isNull(businesses.deleted_at)))
    .where(
      and(eq(media.id, id), eq(media.business_id, business_id), eq(media.status, "stored"), isNull(media.deleted_at)),
    ),
);

/** Media whose content is in the store. */
export async function getMedia(scope: BusinessScope, id: string): Promise<Media | undefined> {
  const [found] = await findStored(scope, { id, business_id: scope.businessId });
  return found as Media | undefined;
}

/** Like `getMedia`. Records that a message uses the media, so that it is kept as long as used ones. */
export async function useMedia(scope: BusinessScope, id: string): Promise<Media | undefined> {
  const [used] = await fetchRows(scope, query.update(media).set({ used_at: now }).where(stored(scope, id)).returning());
  return used as Media | undefined;
}

/** Deletes media at once; maintenance removes the content later. Returns whether the media existed. */
export async function deleteMedia(scope: BusinessScope, id: string): Promise<boolean> {
  return (await execute(scope, query.update(media).set({ deleted_at: now }).where(stored(scope, id)))) === 1;
}

export type Description = Pick<Media, "width" | "height" | "seconds" | "thumbnail_key" | "preview">;

/** Attempts to describe media before it is given up: a deploy or a crash of another cause may use up some. */
const maxDescribeAttempts = 3;

/** Records an attempt to describe media. False if its attempts are used up, it is described already, or it is gone. */
export async function claimDescription(scope: BusinessScope, id: string): Promise<boolean> {
  const claimed = await scope.ask(sql`
    update media set describe_attempts = describe_attempts + 1
    where id = ${id} and business_id = ${scope.businessId} and described_at is null and deleted_at is null
      and describe_attempts < ${maxDescribeAttempts}::integer`);
  return claimed.count === 1;
}

/** The stored media of a business that waits for its description; one whose attempts failed comes last. */
export async function nextUndescribed(scope: BusinessScope): Promise<Media | undefined> {
  const [media] = await scope.ask<Media[]>(sql`
    select * from media
    where business_id = ${scope.businessId} and status = 'stored' and described_at is null and deleted_at is null
    order by describe_attempts, created_at limit 1`);
  return media;
}

/** Writes down what was found in the content. */
export async function describeMedia(scope: BusinessScope, id: string, found: Description): Promise<Media | undefined> {
  const [described] = await scope.ask<Media[]>(sql`
    update media
    set described_at = now(), width = ${found.width}, height = ${found.height}, seconds = ${found.seconds},
        thumbnail_key = ${found.thumbnail_key}, preview = ${found.preview}
    where id = ${id} and business_id = ${scope.businessId} and status = 'stored' and deleted_at is null returning *`);
  return described;
}
