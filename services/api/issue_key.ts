import type { z } from "@hono/zod-openapi";
import { AppError } from "../../lib/core/errors.ts";
import { uuidv7 } from "../../lib/core/ids.ts";
import { generateKey } from "../../lib/db/api_key.ts";
import { insertKey, rotateKey } from "../../lib/db/index.ts";
import type { ApiKey, KeyOwner } from "../../lib/db/index.ts";
import { noSuchBusiness } from "./auth/guards.ts";
import { knownForm } from "./routes/params.ts";
import { keyView } from "./schemas/key.ts";
import type { createdKey } from "./schemas/key.ts";

export type IssuedKey = z.infer<typeof createdKey>;
export type KeyRequest = { scopes: string[]; name?: string | undefined; expires_at?: Date | undefined };

/** Makes a key; the answer is the only place where it is whole. */
export async function issueKey(owner: KeyOwner, { scopes, name, expires_at }: KeyRequest): Promise<IssuedKey> {
  const { key, prefix, hash } = generateKey();
  const stored = await insertKey(owner, { id: uuidv7(), prefix, hash, scopes, name, expires_at });
  if (!stored) throw noSuchBusiness();
  return { ...keyView(stored), key };
}

/** Puts a new key in the place of an old one; `mayGive` throws where the caller could not have made such a key. */
export async function replaceKey(
  owner: KeyOwner,
  oldId: string,
  overlapS: number,
  mayGive: (scopes: string[]) => void = () => {},
): Promise<IssuedKey> {
  const id = knownForm(oldId);
  const { key, prefix, hash } = generateKey();
  const stored: ApiKey | undefined = id === undefined ? undefined : await rotateKey(owner, id, { id: uuidv7(), prefix, hash, overlapS });
  if (!stored) throw noSuchKey();
  mayGive(stored.scopes);
  return { ...keyView(stored), key };
}

export function noSuchKey(): AppError {
  return new AppError("not_found", "There is no such key.");
}
