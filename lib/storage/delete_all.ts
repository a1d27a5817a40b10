import type { ObjectStore } from "./store.ts";

/** Deletes objects, best effort. Returns the keys of those that are left: all of them without a store. */
export async function deleteAll(store: Pick<ObjectStore, "delete"> | null, keys: string[]): Promise<string[]> {
  if (store === null) return keys;
  const outcomes = await Promise.allSettled(keys.map((key) => store.delete(key)));
  return keys.filter((_, index) => outcomes[index]!.status === "rejected");
}
