/** Stores objects that are too large for Postgres: recordings and media. */
export type ObjectStore = {
  /** Stores the bytes under a key, all of them or none. Replaces an existing object. */
  put(key: string, bytes: AsyncIterable<Uint8Array>): Promise<void>;
  /** Returns the object of a key; null if there is none. */
  get(key: string): Promise<StoredObject | null>;
  /** Removes the object of a key. Does nothing if there is none. */
  delete(key: string): Promise<void>;
};

/** A store whose keys can be listed. */
export type ListableStore = ObjectStore & {
  /** Lists the objects whose keys begin with `prefix`, in no particular order. */
  list(prefix?: string): AsyncIterable<ListedObject>;
};

export type ListedObject = { key: string; size: number };

export type StoredObject = {
  /** Length in bytes. */
  size: number;
  /** Reads the bytes from `start` to before `end`. */
  read(start: number, end: number): Promise<Uint8Array>;
};

const keyForm = /^(?!.*(^|\/)\.)[A-Za-z0-9._-]+(\/[A-Za-z0-9._-]+)*$/;

/** Returns a valid key; throws on others. Keys are ASCII paths, which mean the same in a folder and in a bucket. */
export function checkKey(key: string): string {
  if (!keyForm.test(key) || key.length > 512)
    throw new TypeError(`not a key of the store: ${JSON.stringify(key.slice(0, 80))}`);
  return key;
}
