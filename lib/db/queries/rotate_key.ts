import { sql } from "../literal.ts";
import type { ApiKey } from "../schema/index.ts";
import { isOwnedBy } from "./key_owner.ts";
import type { KeyOwner } from "./key_owner.ts";

export type Rotation = Pick<ApiKey, "id" | "prefix" | "hash"> & {
  /** How long the old key works beside the new one. */
  overlapS: number;
};

/**
 * Puts a new key in the place of an old one, with the same name and scopes and for as long as the old one was to
 * work; the old one ends when the overlap does. Undefined when there is no such key that works.
 */
export async function rotateKey(owner: KeyOwner, oldId: string, { id, prefix, hash, overlapS }: Rotation): Promise<ApiKey | undefined> {
  const [made] = await owner.ask<ApiKey[]>(sql`
    with old as (
      select * from api_keys
      where id = ${oldId} and ${isOwnedBy(owner)} and revoked_at is null and (expires_at is null or expires_at > now())
      for update
    ), ending as (
      update api_keys k set expires_at = least(old.expires_at, now() + make_interval(secs => ${overlapS})) from old where k.id = old.id
    )
    insert into api_keys (id, business_id, prefix, hash, scopes, name, expires_at, lifetime)
    select ${id}::uuid, business_id, ${prefix}, ${hash}, scopes, name, now() + lifetime, lifetime from old
    returning *`);
  return made;
}
