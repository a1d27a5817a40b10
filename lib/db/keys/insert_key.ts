import { AppError } from "../../core/errors.ts";
import { sql } from "../client/literal.ts";
import type { ApiKey } from "../schema.ts";
import { atomically } from "../scope.ts";
import { lockKeys, ownerId, workingKeys } from "./key_owner.ts";
import type { KeyOwner } from "./key_owner.ts";

export type KeyInput = Pick<ApiKey, "id" | "prefix" | "hash" | "scopes"> & Partial<Pick<ApiKey, "name" | "expires_at">>;

/** Maximum valid keys of one owner. */
export const maxKeys = 100;

/**
 * Stores a key; undefined if the business does not exist. Throws "conflict" if the owner has {@link maxKeys} valid
 * keys, and "invalid_request" if the expiry is in the past by the database's clock. Hand-written SQL: the database's
 * clock computes the times.
 */
export function insertKey(owner: KeyOwner, key: KeyInput): Promise<ApiKey | undefined> {
  const id = ownerId(owner);
  const expiry = sql`${key.expires_at ?? null}::timestamptz`;
  return atomically(owner, async (inner) => {
    await inner.ask(lockKeys(owner));
    const [state] = await inner.ask<[{ keys: number; past: boolean | null; owned: boolean }]>(sql`
      select (${workingKeys(owner)}) as keys, ${expiry} <= now() as past,
             ${id}::uuid is null or exists (select from businesses where id = ${id}::uuid
               and deleted_at is null) as owned`);
    if (!state.owned) return undefined;
    if (state.past === true) {
      throw new AppError("invalid_request", "`expires_at` is in the past. Choose a later time.", {
        faults: [{ field: "expires_at", message: "must lie in the future" }],
      });
    }
    if (state.keys >= maxKeys) throw tooManyKeys(maxKeys);
    const [inserted] = await inner.ask<ApiKey[]>(sql`
      insert into api_keys (id, business_id, prefix, hash, scopes, name, created_at, expires_at, lifetime)
      select ${key.id}::uuid, ${id}::uuid, ${key.prefix}, ${key.hash}, ${key.scopes}::text[], ${key.name ?? null},
             date_trunc('milliseconds', now()), ${expiry}, ${expiry} - date_trunc('milliseconds', now())
      returning *`);
    return inserted;
  });
}

export function tooManyKeys(limit: number): AppError {
  return new AppError("conflict", `The limit of ${limit} active keys is reached. Revoke a key that is no longer used.`);
}
