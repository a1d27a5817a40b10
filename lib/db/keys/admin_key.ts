import { uuidv7 } from "../../core/ids.ts";
import { hashKey, keyPrefix } from "./api_key.ts";
import type { OwnerConnection } from "../client/owner.ts";

/** Stores an admin key if it is not there; returns whether it was stored. Throws when another key has its prefix. */
export async function ensureAdminKey(sql: OwnerConnection, key: string): Promise<boolean> {
  const prefix = keyPrefix(key);
  if (prefix === undefined) throw new Error("an admin key has the form psk_<8 letters or digits>_<secret>");
  const hash = hashKey(key);
  const stored = await sql`
    insert into api_keys (id, business_id, prefix, hash, scopes) values (${uuidv7()}, null, ${prefix}, ${hash}, '{}')
    on conflict (prefix) do nothing`;
  if (stored.count > 0) return true;
  const [same] = await sql`select from api_keys where prefix = ${prefix} and hash = ${hash} and business_id is null`;
  if (!same) throw new Error(`another key has the prefix ${prefix}; make a new admin key`);
  return false;
}
