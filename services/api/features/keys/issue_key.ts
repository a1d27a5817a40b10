import type { z } from "@hono/zod-openapi";
import { AppError } from "../../../../lib/core/errors.ts";
import { uuidv7 } from "../../../../lib/core/ids.ts";
import { generateKey } from "../../../../lib/db/keys/api_key.ts";
import { atomically, insertKey, revokeKey, rotateKey } from "../../../../lib/db/index.ts";
import type { ApiKey, KeyOwner } from "../../../../lib/db/index.ts";
import { noSuchBusiness } from "../../http/auth/guards.ts";
import { mayUse } from "../../http/auth/principal.ts";
import type { Principal, Scope } from "../../http/auth/principal.ts";
import { parseId } from "../../http/params.ts";
import { noSuch } from "../../http/problem.ts";
import type { createdKey } from "./schemas.ts";
import { keyView } from "./view.ts";

export type IssuedKey = z.infer<typeof createdKey>;
export type KeyRequest = { scopes: string[]; name?: string | undefined; expires_at?: Date | undefined };

/**
 * Creates a key on behalf of `creator`. Its scopes must be a subset of the creator's, and its expiry may not be later
 * (by default it is the same). The creator of a console session is the key that signed in. Only the returned value
 * contains the whole key.
 */
export async function issueKey(owner: KeyOwner, creator: Principal, request: KeyRequest): Promise<IssuedKey> {
  const { scopes, name, expires_at = creator.expiresAt } = request;
  assertScopes(creator, scopes);
  assertExpiry(creator, expires_at);
  const { key, prefix, hash } = generateKey();
  const stored = await insertKey(owner, { id: uuidv7(), prefix, hash, scopes, name, expires_at });
  if (!stored) throw noSuchBusiness();
  return { ...keyView(stored), key };
}

/** Replaces a key with a new one of the same name, scopes and expiry. A refused rotation rolls back. */
export function replaceKey(owner: KeyOwner, caller: Principal, oldId: string, overlapS: number): Promise<IssuedKey> {
  const id = parseId(oldId);
  if (id === undefined) throw noSuch("key");
  const { key, prefix, hash } = generateKey();
  return atomically(owner, async (inner) => {
    const stored: ApiKey | undefined = await rotateKey(inner, id, { id: uuidv7(), prefix, hash, overlapS });
    if (!stored) throw noSuch("key");
    assertScopes(caller, stored.scopes);
    // A key may always rotate itself, because its successor expires at the same time.
    if (id !== caller.keyId) assertExpiry(caller, stored.expires_at);
    return { ...keyView(stored), key };
  });
}

/** Revokes a key whose scopes are a subset of the caller's. */
export async function removeKey(owner: KeyOwner, caller: Principal, keyId: string): Promise<void> {
  const id = parseId(keyId);
  const revocation =
    id === undefined ? "unknown" : await revokeKey(owner, id, caller.kind === "admin" ? null : [...caller.scopes]);
  if (revocation === "unknown") throw noSuch("key");
  if (revocation === "beyond")
    throw new AppError("forbidden", "That key has scopes that your key lacks. Revoke it with a key that has them.");
}

function assertScopes(caller: Principal, scopes: readonly string[]): void {
  const missing = scopes.filter((scope) => !mayUse(caller, scope as Scope));
  if (missing.length > 0)
    throw new AppError("forbidden", `Your key lacks ${missing.join(", ")} and cannot grant it. Use a key that has it.`);
}

function assertExpiry({ expiresAt }: Principal, expiry: Date | null): void {
  if (expiresAt === null || (expiry !== null && expiry <= expiresAt)) return;
  throw new AppError(
    "forbidden",
    `Your key expires at ${expiresAt.toISOString()}, so the new key may not expire later. Choose an earlier expiry.`,
  );
}
