import { sql } from "../client/literal.ts";
import type { ApiKey } from "../schema.ts";
import { atomically } from "../scope.ts";
import { maxKeys, tooManyKeys } from "./insert_key.ts";
import { isOwnedBy, lockKeys, workingKeys } from "./key_owner.ts";
import type { KeyOwner } from "./key_owner.ts";

export type Rotation = Pick<ApiKey, "id" | "prefix" | "hash"> & {
  /** How long the old key keeps working. */
  overlapS: number;
};

/** Above {@link maxKeys}, so that an owner at the limit can still rotate each key. */
const maxKeysInRotation = 2 * maxKeys;

/**
 * Replaces a key with a new one of the same name and scopes; the old one expires after the overlap. A family of keys
 * has one final expiry, `created_at + lifetime` of each of them: rotation never extends it. Returns undefined if there
 * is no such valid key. Throws "conflict" if the owner has {@link maxKeysInRotation} valid keys. Hand-written SQL: one
 * statement locks, shortens and copies the row by the database's clock.
 */
export function rotateKey(
  owner: KeyOwner,
  oldId: string,
  { id, prefix, hash, overlapS }: Rotation,
): Promise<ApiKey | undefined> {
  return atomically(owner, async (inner) => {
    await inner.ask(lockKeys(owner));
    const [{ keys }] = await inner.ask<[{ keys: number }]>(sql`select (${workingKeys(owner)}) as keys`);
    if (keys >= maxKeysInRotation) throw tooManyKeys(maxKeysInRotation);
    const [made] = await inner.ask<ApiKey[]>(sql`
      with old as (
        select * from api_keys
        where id = ${oldId} and ${isOwnedBy(owner)} and revoked_at is null
          and (expires_at is null or expires_at > now())
        for update
      ), ending as (
        update api_keys k set expires_at = least(old.expires_at, now() + make_interval(secs => ${overlapS})) from old
          where k.id = old.id
      )
      insert into api_keys (id, business_id, prefix, hash, scopes, name, created_at, expires_at, lifetime)
      select ${id}::uuid, business_id, ${prefix}, ${hash}, scopes, name, date_trunc('milliseconds', now()),
             created_at + lifetime, created_at + lifetime - date_trunc('milliseconds', now())
      from old
      returning *`);
    return made;
  });
}
