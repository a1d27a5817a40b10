import { sql } from "../client/literal.ts";
import { isOwnedBy } from "./key_owner.ts";
import type { KeyOwner } from "./key_owner.ts";

/** "beyond": the key has scopes that the caller lacks. "unknown": there is no such valid key. */
export type Revocation = "revoked" | "beyond" | "unknown";

/**
 * Revokes a key whose scopes are among `scopes`; null: any scopes. Hand-written SQL: one statement checks and revokes,
 * so that no scope changes in between.
 */
export async function revokeKey(owner: KeyOwner, id: string, scopes: readonly string[] | null): Promise<Revocation> {
  const [found] = await owner.ask<{ within: boolean }[]>(sql`
    with found as (
      select id, ${scopes === null ? sql`true` : sql`scopes <@ ${scopes}::text[]`} as within
      from api_keys where id = ${id} and ${isOwnedBy(owner)} and revoked_at is null
    ), revoked as (
      update api_keys k set revoked_at = now() from found where k.id = found.id and found.within
    )
    select within from found`);
  if (found === undefined) return "unknown";
  return found.within ? "revoked" : "beyond";
}
