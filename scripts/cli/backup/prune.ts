import type { Destination } from "./destination.ts";
import { getFile, listBackups } from "./manifest.ts";
import { removeUnlisted, unpackList } from "./objects.ts";
import { expiredBackups } from "./retention.ts";

/** Removes expired backups, and the objects that only they had. Those of an interrupted backup go with them. */
export async function prune(
  { store, keepDays }: Destination,
  now: Date,
): Promise<{ backups: string[]; objects: number }> {
  const all = await listBackups(store);
  const expired = expiredBackups(all, keepDays, now);
  const kept = all.filter((one) => !expired.includes(one));
  // The manifest is among the files, and the order is that of the storage: a part that is left belongs to no backup.
  const folders = new Set(kept.map(({ id }) => id));
  for await (const { key } of store.list("sets/")) {
    const id = key.split("/")[1]!;
    if (!folders.has(id) && isOld(id, all.at(-1)?.id)) await store.delete(key);
  }
  const lists = await Promise.all(kept.map(async ({ objects }) => unpackList(await getFile(store, objects.list))));
  return { backups: expired.map(({ id }) => id), objects: await removeUnlisted(lists, store) };
}

/** A folder without a manifest that is newer than every backup may be one that another command is writing. */
const isOld = (id: string, newest: string | undefined): boolean => newest !== undefined && id < newest;
