import { isUniqueViolation } from "../client/errors.ts";
import { sql } from "../client/literal.ts";
import type { Media } from "../schema.ts";
import type { BusinessScope } from "../scope.ts";

/** Records that content will be written under a key of the store; returns false if the business was deleted. */
export async function beginMedia(
  scope: BusinessScope,
  { id, storage_key }: Pick<Media, "id" | "storage_key">,
): Promise<boolean> {
  const inserted = await scope.ask(sql`
    insert into media (id, business_id, storage_key)
    select ${id}, id, ${storage_key} from businesses where id = ${scope.businessId} and deleted_at is null`);
  return inserted.count === 1;
}

export type Content = { sha256: string; size: number; mime: string };

/** Records stored content. If the business has the same content already, discards this media and returns that one. */
export async function finishMedia(
  scope: BusinessScope,
  id: string,
  content: Content,
): Promise<{ media: Media; fresh: boolean }> {
  for (;;) {
    const [known] = await scope.ask<Media[]>(sql`
      with known as (
        select * from media
        where business_id = ${scope.businessId} and sha256 = ${content.sha256} and status = 'stored'
          and deleted_at is null and id <> ${id}
      ), given_up as (
        update media set deleted_at = now() where id = ${id} and business_id = ${scope.businessId} and exists (select
          from known)
      )
      select * from known`);
    if (known) return { media: known, fresh: false };
    try {
      const [media] = await scope.ask<Media[]>(sql`
        update media set status = 'stored', sha256 = ${content.sha256}, size = ${content.size}, mime = ${content.mime}
        where id = ${id} and business_id = ${scope.businessId} and deleted_at is null returning *`);
      if (!media) throw new Error("the media was removed while it was written");
      return { media, fresh: true };
    } catch (error) {
      // A concurrent writer stored the same content.
      if (!isUniqueViolation(error)) throw error;
    }
  }
}

/** Discards content that could not be written; maintenance removes its remains. */
export async function abandonMedia(scope: BusinessScope, id: string): Promise<void> {
  await scope.ask(
    sql`
      update media set deleted_at = now()
      where id = ${id} and business_id = ${scope.businessId} and status = 'writing'`,
  );
}
