import { SQLiteError } from "bun:sqlite";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { AppError } from "../../../lib/core/errors.ts";
import type { KeyRing } from "../../../lib/core/key_ring.ts";
import { yieldToLoop } from "../../../lib/core/loop_budget.ts";
import { AuthStore, AuthStoreError } from "../auth/auth_store.ts";
import type { StoreCopy } from "../auth/auth_store.ts";
import { archiveStore } from "../auth/archive.ts";
import { syncToDisk } from "../volume/durable_file.ts";
import type { Volume } from "../volume/volume.ts";
import type { AuthEntry } from "./bundle.ts";

const name = "auth.db";
const ownFolder = (volume: Volume, businessId: string) => volume.file("sessions", businessId);
const staged = (volume: Volume, businessId: string) => volume.file("arriving", businessId);

/** Values read or written before other work may run: about a millisecond. */
const valuesPerSlice = 200;

/** The values of a business's auth store, whose session is closed; null if the business has none. */
export async function readStore(
  volume: Volume,
  businessId: string,
  keys: KeyRing,
  copy?: StoreCopy,
): Promise<AuthEntry[] | null> {
  const path = `${ownFolder(volume, businessId)}/${name}`;
  if (!existsSync(path)) return null;
  // Registered with the copies, because SQLite locks it against a snapshot.
  const store = openStore(path, businessId, keys, copy);
  try {
    const entries: AuthEntry[] = [];
    for (const key of store.names()) {
      entries.push([key, store.read(key)!]);
      if (entries.length % valuesPerSlice === 0) await yieldToLoop();
    }
    return entries;
  } catch (error) {
    throw notOpening(error);
  } finally {
    store.close();
  }
}

/**
 * Writes a store under this shard's keys to a staging folder, where no restart opens it. Resolves once it is on the
 * disk.
 */
export async function stageStore(
  volume: Volume,
  businessId: string,
  auth: readonly AuthEntry[] | null,
  keys: KeyRing,
  copy?: StoreCopy,
): Promise<void> {
  const folder = staged(volume, businessId);
  rmSync(folder, { recursive: true, force: true });
  if (auth === null) return;
  const store = openStore(`${folder}/${name}`, businessId, keys, copy);
  try {
    for (let from = 0; from < auth.length; from += valuesPerSlice) {
      store.write(auth.slice(from, from + valuesPerSlice));
      await yieldToLoop();
    }
    store.sync();
  } finally {
    store.close();
  }
  syncToDisk(folder);
  syncToDisk(dirname(folder));
}

function openStore(path: string, businessId: string, keys: KeyRing, copy?: StoreCopy): AuthStore {
  try {
    return AuthStore.open(path, businessId, keys, copy);
  } catch (error) {
    throw notOpening(error);
  }
}

function notOpening(error: unknown): unknown {
  if (error instanceof AuthStoreError)
    return new AppError("conflict", `The login does not open here: ${error.message}.`, { cause: error });
  if (error instanceof SQLiteError) {
    return new AppError("unavailable", "The auth store cannot be used now. Retry.", {
      cause: error,
      retryAfterS: 1,
    });
  }
  return error;
}

/** Replaces this shard's own store by the staged one. Returns false if that was done before. */
export function promoteStore(volume: Volume, businessId: string): boolean {
  const from = staged(volume, businessId);
  if (!existsSync(from)) return false;
  const to = ownFolder(volume, businessId);
  archiveStore(dirname(to), volume.file("set-aside"), businessId);
  mkdirSync(dirname(to), { recursive: true, mode: 0o700 });
  renameSync(from, to);
  syncToDisk(dirname(to));
  return true;
}

export function removeStaged(volume: Volume, businessId: string): void {
  rmSync(staged(volume, businessId), { recursive: true, force: true });
}
