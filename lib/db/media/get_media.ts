import { sql } from "../client/literal.ts";
import type { Media } from "../schema.ts";
import type { BusinessScope } from "../scope.ts";

/** Media whose content is in the store. */
export async function getMedia(scope: BusinessScope, id: string): Promise<Media | undefined> {
  const [media] = await scope.ask<Media[]>(sql`
    select m.* from media m join businesses b on b.id = m.business_id and b.deleted_at is null
    where m.id = ${id} and m.business_id = ${scope.businessId} and m.status = 'stored' and m.deleted_at is null`);
  return media;
}

/** The same, and notes that a message comes with it: it is kept as long as one that is used. */
export async function useMedia(scope: BusinessScope, id: string): Promise<Media | undefined> {
  const [media] = await scope.ask<Media[]>(sql`
    update media set used_at = now()
    where id = ${id} and business_id = ${scope.businessId} and status = 'stored' and deleted_at is null returning *`);
  return media;
}

/** Takes media away from everybody, at once; its content is removed by maintenance. Returns whether there was any. */
export async function deleteMedia(scope: BusinessScope, id: string): Promise<boolean> {
  const deleted = await scope.ask(sql`
    update media set deleted_at = now()
    where id = ${id} and business_id = ${scope.businessId} and status = 'stored' and deleted_at is null`);
  return deleted.count === 1;
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

/** Writes down what was found in the content. */
export async function describeMedia(scope: BusinessScope, id: string, found: Description): Promise<Media | undefined> {
  const [media] = await scope.ask<Media[]>(sql`
    update media
    set described_at = now(), width = ${found.width}, height = ${found.height}, seconds = ${found.seconds},
        thumbnail_key = ${found.thumbnail_key}, preview = ${found.preview}
    where id = ${id} and business_id = ${scope.businessId} and status = 'stored' and deleted_at is null returning *`);
  return media;
}
