import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { AppError } from "../../../lib/core/errors.ts";
import type { KeyRing } from "../../../lib/core/key_ring.ts";
import { AuthStore, AuthStoreError } from "../auth/auth_store.ts";
import { setAside } from "../auth/set_aside.ts";
import type { Volume } from "../volume/volume.ts";

const name = "auth.db";
const home = (volume: Volume, businessId: string) => volume.file("sessions", businessId);
const kept = (volume: Volume, businessId: string) => volume.file("arriving", businessId);

/** The auth store's file; null where the business has none. Its session is closed, and SQLite has put its log into the file. */
export function readStore(volume: Volume, businessId: string, keys: KeyRing): Uint8Array | null {
  const path = `${home(volume, businessId)}/${name}`;
  if (!existsSync(path)) return null;
  // A shard that was killed before it had closed the store left its log; to open and close it puts that into the file.
  if (existsSync(`${path}-wal`)) AuthStore.open(path, businessId, keys).close();
  if (existsSync(`${path}-wal`)) throw new AppError("unavailable", "The auth store is still open; try again.", { retryAfterS: 1 });
  return readFileSync(path);
}

/**
 * Keeps a store aside, where no restart opens it. Resolves once it is on the disk and has been opened with the keys.
 * @throws AppError "conflict" where this shard's keys do not open it.
 */
export function keepStore(volume: Volume, businessId: string, file: Uint8Array | null, keys: KeyRing): void {
  const folder = kept(volume, businessId);
  rmSync(folder, { recursive: true, force: true });
  if (file === null) return;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const path = `${folder}/${name}`;
  writeFileSync(path, file, { flush: true, mode: 0o600 });
  try {
    AuthStore.open(path, businessId, keys).close();
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    if (error instanceof AuthStoreError)
      throw new AppError("conflict", `The login does not open here: ${error.message}.`, { cause: error });
    throw error;
  }
  syncFolder(folder);
  syncFolder(dirname(folder));
}

/** Puts the store that was kept in the place of this shard's own; done before: nothing. */
export function promoteStore(volume: Volume, businessId: string): void {
  const from = kept(volume, businessId);
  if (!existsSync(from)) return;
  const to = home(volume, businessId);
  setAside(dirname(to), volume.file("set-aside"), businessId);
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
