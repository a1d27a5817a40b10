import type { z } from "@hono/zod-openapi";
import { AppError } from "../../../../lib/core/errors.ts";
import { uuidv7 } from "../../../../lib/core/ids.ts";
import { generateKey } from "../../../../lib/db/keys/api_key.ts";
import { atomically, insertKey, revokeKey, rotateKey } from "../../../../lib/db/index.ts";
import type { ApiKey, KeyOwner } from "../../../../lib/db/index.ts";
import { noSuchBusiness } from "../../http/auth/guards.ts";
import { mayUse } from "../../http/auth/principal.ts";
import type { Principal, Scope } from "../../http/auth/principal.ts";
import { knownForm } from "../../http/params.ts";
import { keyView } from "./schemas.ts";
import type { createdKey } from "./schemas.ts";

export type IssuedKey = z.infer<typeof createdKey>;
export type KeyRequest = { scopes: string[]; name?: string | undefined; expires_at?: Date | undefined };

/**
 * Creates a key on behalf of `creator`, which it neither exceeds nor outlives: its scopes are a subset, and its expiry
 * is no later (by default the same). Behind a console session the creator is the key that signed in. The answer is the
 * only place that holds the whole key.
 */
export async function issueKey(owner: KeyOwner, creator: Principal, request: KeyRequest): Promise<IssuedKey> {
  const { scopes, name, expires_at = creator.expiresAt } = request;
  refuseStronger(creator, scopes);
  refuseLonger(creator, expires_at);
  const { key, prefix, hash } = generateKey();
  const stored = await insertKey(owner, { id: uuidv7(), prefix, hash, scopes, name, expires_at });
  if (!stored) throw noSuchBusiness();
  return { ...keyView(stored), key };
}

/**
 * Replaces a key by a new one, which keeps the name, the scopes and the final expiry of the old one. In one
 * transaction, so that a refused rotation changes nothing.
 */
export function replaceKey(owner: KeyOwner, caller: Principal, oldId: string, overlapS: number): Promise<IssuedKey> {
  const id = knownForm(oldId);
  if (id === undefined) throw noSuchKey();
  const { key, prefix, hash } = generateKey();
  return atomically(owner, async (inner) => {
    const stored: ApiKey | undefined = await rotateKey(inner, id, { id: uuidv7(), prefix, hash, overlapS });
    if (!stored) throw noSuchKey();
    refuseStronger(caller, stored.scopes);
    // A key may always be followed by its own successor, whose final expiry is the same.
    if (id !== caller.keyId) refuseLonger(caller, stored.expires_at);
    return { ...keyView(stored), key };
  });
}

/** Ends a key of a business, if its scopes are a subset of the caller's. */
export async function endKey(owner: KeyOwner, caller: Principal, keyId: string): Promise<void> {
  const id = knownForm(keyId);
  const revocation =
    id === undefined ? "unknown" : await revokeKey(owner, id, caller.kind === "admin" ? null : [...caller.scopes]);
  if (revocation === "unknown") throw noSuchKey();
  if (revocation === "beyond")
    throw new AppError("forbidden", "That key has scopes that this key lacks; revoke it with a key that has them.");
}

function refuseStronger(caller: Principal, scopes: readonly string[]): void {
  const beyond = scopes.filter((scope) => !mayUse(caller, scope as Scope));
  if (beyond.length > 0)
    throw new AppError("forbidden", `This key lacks ${beyond.join(", ")} and so cannot give it to another.`);
}

function refuseLonger({ expiresAt }: Principal, expiry: Date | null): void {
  if (expiresAt === null || (expiry !== null && expiry <= expiresAt)) return;
  throw new AppError(
    "forbidden",
    `This key expires at ${expiresAt.toISOString()} and so cannot make one that works longer.`,
  );
}

function noSuchKey(): AppError {
  return new AppError("not_found", "There is no such key.");
}
