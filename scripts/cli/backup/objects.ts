import { gunzipSync, gzipSync } from "node:zlib";
import { AppError } from "../../../lib/core/errors.ts";
import type { ListableStore, ListedObject } from "../../../lib/storage/index.ts";

/*
 * The files of the platform: sealed under its own keys, and never changed under their key. So backups share one copy of
 * each, under the key that it has in its storage, and a backup is a list of keys.
 */

/** The storages by what they hold. */
export const kinds = ["media", "shards"] as const;
export type Kind = (typeof kinds)[number];
export type ObjectList = Record<Kind, ListedObject[]>;

/** Objects that are copied at the same time: they are small, and each waits for its storage. */
const atOnce = 8;
const windowBytes = 4 * 1024 * 1024;

export const keyOfCopy = (kind: Kind, key: string): string => `objects/${kind}/${key}`;

export async function* bytesOf(object: { size: number; read: (start: number, end: number) => Promise<Uint8Array> }) {
  for (let at = 0; at < object.size; at += windowBytes)
    yield await object.read(at, Math.min(at + windowBytes, object.size));
}

export type CopyCounts = { objects: number; bytes: number };
type Progress = (copied: CopyCounts) => void;

/** Copies what `to` lacks of the listed objects. Returns the keys of those that `from` did not have any more. */
async function copyMissing(
  listed: readonly ListedObject[],
  from: { store: ListableStore; keyOf: (key: string) => string },
  to: { store: ListableStore; keyOf: (key: string) => string; prefix: string },
  onProgress: Progress,
): Promise<Set<string>> {
  const present = new Map<string, number>();
  for await (const { key, size } of to.store.list(to.prefix)) present.set(key, size);
  const wanted = listed.filter(({ key, size }) => present.get(to.keyOf(key)) !== size).values();
  const gone = new Set<string>();
  const copied = { objects: 0, bytes: 0 };
  const work = async () => {
    for (const { key } of wanted) {
      const object = await from.store.get(from.keyOf(key));
      if (object === null) {
        gone.add(key);
        continue;
      }
      await to.store.put(to.keyOf(key), bytesOf(object));
      copied.objects += 1;
      copied.bytes += object.size;
      onProgress(copied);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return gone;
}

/** Copies the new objects of a storage to the backups. Returns the objects that the storage had. */
export async function backUpObjects(
  kind: Kind,
  storage: ListableStore | null,
  backups: ListableStore,
  onProgress: Progress = () => {},
): Promise<ListedObject[]> {
  if (storage === null) return [];
  const listed = await Array.fromAsync(storage.list());
  const to = { store: backups, keyOf: (key: string) => keyOfCopy(kind, key), prefix: keyOfCopy(kind, "") };
  const gone = await copyMissing(listed, { store: storage, keyOf: (key) => key }, to, onProgress);
  return listed.filter(({ key }) => !gone.has(key));
}

/** Copies the objects of a backup to a storage. @throws AppError if the backups lack one. */
export async function restoreObjects(
  kind: Kind,
  listed: readonly ListedObject[],
  backups: ListableStore,
  storage: ListableStore,
  onProgress: Progress = () => {},
): Promise<void> {
  const to = { store: storage, keyOf: (key: string) => key, prefix: "" };
  const gone = await copyMissing(listed, { store: backups, keyOf: (key) => keyOfCopy(kind, key) }, to, onProgress);
  if (gone.size > 0)
    throw new AppError("not_found", `The backups lack ${gone.size} objects, such as ${kind}/${[...gone][0]}.`);
}

/** The objects of a backup that the backups lack, or have in another size. */
export async function missingObjects(list: ObjectList, backups: ListableStore): Promise<string[]> {
  const present = new Map<string, number>();
  for await (const { key, size } of backups.list("objects/")) present.set(key, size);
  return kinds.flatMap((kind) =>
    list[kind].filter(({ key, size }) => present.get(keyOfCopy(kind, key)) !== size).map(({ key }) => `${kind}/${key}`),
  );
}

/** Deletes the copies that none of these lists has. Returns their number. */
export async function removeUnlisted(lists: readonly ObjectList[], backups: ListableStore): Promise<number> {
  const listed = new Set(
    lists.flatMap((list) => kinds.flatMap((kind) => list[kind].map(({ key }) => keyOfCopy(kind, key)))),
  );
  let removed = 0;
  for await (const { key } of backups.list("objects/")) {
    if (listed.has(key)) continue;
    await backups.delete(key);
    removed += 1;
  }
  return removed;
}

export const packList = (list: ObjectList): Uint8Array => gzipSync(JSON.stringify(list));
export const unpackList = (packed: Uint8Array): ObjectList =>
  JSON.parse(gunzipSync(packed).toString("utf8")) as ObjectList;

export const sizeOf = (listed: readonly ListedObject[]) => ({
  count: listed.length,
  bytes: listed.reduce((sum, { size }) => sum + size, 0),
});
