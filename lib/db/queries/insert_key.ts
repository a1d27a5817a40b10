import { sql } from "../literal.ts";
import type { ApiKey } from "../schema/index.ts";
import { ownerId } from "./key_owner.ts";
import type { KeyOwner } from "./key_owner.ts";

export type KeyInput = Pick<ApiKey, "id" | "prefix" | "hash" | "scopes"> & Partial<Pick<ApiKey, "name" | "expires_at">>;

/** Stores a key; undefined when there is no such business. */
export async function insertKey(owner: KeyOwner, key: KeyInput): Promise<ApiKey | undefined> {
  const id = ownerId(owner);
  const [inserted] = await owner.ask<ApiKey[]>(sql`
    insert into api_keys (id, business_id, prefix, hash, scopes, name, expires_at, lifetime)
    select ${key.id}::uuid, ${id}::uuid, ${key.prefix}, ${key.hash}, ${key.scopes}::text[], ${key.name ?? null}, ${key.expires_at ?? null}::timestamptz,
           ${key.expires_at ?? null}::timestamptz - now()
    where ${id}::uuid is null or exists (select from businesses where id = ${id}::uuid and deleted_at is null)
    returning *`);
  return inserted;
}
