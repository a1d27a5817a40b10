import { uuidv7 } from "../../../lib/core/ids.ts";
import { forBusiness, forPlatform, insertKey } from "../../../lib/db/index.ts";
import type { Database } from "../../../lib/db/index.ts";
import { generateKey } from "../../../lib/db/keys/api_key.ts";

const messaging = ["messages:read", "messages:write", "broadcasts:read", "broadcasts:write"] as const;

/** Creates an API key of a business and returns it. */
export async function createKey(
  db: Database,
  businessId: string,
  scopes: readonly string[] = messaging,
): Promise<string> {
  const { key, prefix, hash } = generateKey();
  await insertKey(forBusiness(db, businessId), { id: uuidv7(), prefix, hash, scopes: [...scopes] });
  return key;
}

/** Creates an admin key and returns it. */
export async function createAdminKey(db: Database): Promise<string> {
  const { key, prefix, hash } = generateKey();
  await insertKey(forPlatform(db), { id: uuidv7(), prefix, hash, scopes: [] });
  return key;
}
