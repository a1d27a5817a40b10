import { sql } from "../literal.ts";
import { isOwnedBy } from "./key_owner.ts";
import type { KeyOwner } from "./key_owner.ts";

/** Ends a key; returns whether there was one that still worked. */
export async function revokeKey(owner: KeyOwner, id: string): Promise<boolean> {
  const revoked = await owner.ask(sql`
    update api_keys set revoked_at = now() where id = ${id} and ${isOwnedBy(owner)} and revoked_at is null`);
  return revoked.count > 0;
}
