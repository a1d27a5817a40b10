import { SQLiteError } from "bun:sqlite";
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { AppError } from "../../../lib/core/errors.ts";
import type { KeyRing } from "../../../lib/core/key_ring.ts";
import { AuthStore, AuthStoreError } from "../auth/auth_store.ts";
import { archiveStore } from "../auth/archive.ts";
import type { Volume } from "../volume/volume.ts";
import type { AuthEntry } from "./bundle.ts";

const name = "auth.db";
const home = (volume: Volume, businessId: string) => volume.file("sessions", businessId);
const kept = (volume: Volume, businessId: string) => volume.file("arriving", businessId);

/** Values read or written before the loop gets a turn: about a millisecond. */
const valuesATurn = 200;

/** The values of a business's auth store, whose session is closed; null where the business has none. */
export async function readStore(volume: Volume, businessId: string, keys: KeyRing): Promise<AuthEntry[] | null> {
  const path = `${home(volume, businessId)}/${name}`;
  if (!existsSync(path)) return null;
  const store = openStore(path, businessId, keys);
  try {
    const entries: AuthEntry[] = [];
    for (const key of store.names()) {
      entries.push([key, store.read(key)!]);
      if (entries.length % valuesATurn === 0) await nextTurn();
    }
    return entries;
  } catch (error) {
    throw notOpening(error);
  } finally {
    store.close();
  }
}

/** Writes a store under this shard's keys and keeps it aside, where no restart opens it. Resolves once it is on the disk. */
export async function keepStore(
  volume: Volume,
  businessId: string,
  auth: readonly AuthEntry[] | null,
  keys: KeyRing,
): Promise<void> {
  const folder = kept(volume, businessId);
  rmSync(folder, { recursive: true, force: true });
  if (auth === null) return;
  const store = openStore(`${folder}/${name}`, businessId, keys);
  try {
    for (let from = 0; from < auth.length; from += valuesATurn) {
      store.write(auth.slice(from, from + valuesATurn));
      await nextTurn();
    }
    store.sync();
  } finally {
    store.close();
  }
  syncFolder(folder);
  syncFolder(dirname(folder));
}

function openStore(path: string, businessId: string, keys: KeyRing): AuthStore {
  try {
    return AuthStore.open(path, businessId, keys);
  } catch (error) {
    throw notOpening(error);
  }
}

function notOpening(error: unknown): unknown {
  if (error instanceof AuthStoreError)
    return new AppError("conflict", `The login does not open here: ${error.message}.`, { cause: error });
  if (error instanceof SQLiteError) {
    return new AppError("unavailable", "The auth store cannot be used at present; try again.", {
      cause: error,
      retryAfterS: 1,
    });
  }
  return error;
}

/** Puts the store that was kept in the place of this shard's own; done before: nothing. */
export function promoteStore(volume: Volume, businessId: string): void {
  const from = kept(volume, businessId);
  if (!existsSync(from)) return;
  const to = home(volume, businessId);
  archiveStore(dirname(to), volume.file("set-aside"), businessId);
  mkdirSync(dirname(to), { recursive: true, mode: 0o700 });
  renameSync(from, to);
  syncFolder(dirname(to));
}

export function removeKept(volume: Volume, businessId: string): void {
  rmSync(kept(volume, businessId), { recursive: true, force: true });
}

function syncFolder(path: string): void {
  const folder = openSync(path, "r");
  fsyncSync(folder);
  closeSync(folder);
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
