/** Where bytes are kept that are too many for Postgres: recordings, media. */
export type ObjectStore = {
  /** Keeps the bytes under a key, whole or not at all; a key that is there is replaced. */
  put(key: string, bytes: AsyncIterable<Uint8Array>): Promise<void>;
  /** What is kept under a key; null where there is nothing. */
  get(key: string): Promise<StoredObject | null>;
  /** Removes a key; one that is not there is gone already. */
  delete(key: string): Promise<void>;
};

export type StoredObject = {
  /** Bytes. */
  size: number;
  /** The bytes from `start` to before `end`. */
  read(start: number, end: number): Promise<Uint8Array>;
};

const keyForm = /^(?!.*(^|\/)\.)[A-Za-z0-9._-]+(\/[A-Za-z0-9._-]+)*$/;

/** Keys are paths of plain letters, so that they mean the same in a folder and in a bucket. Throws on any other. */
export function checkKey(key: string): string {
  if (!keyForm.test(key) || key.length > 512)
    throw new TypeError(`not a key of the store: ${JSON.stringify(key.slice(0, 80))}`);
  return key;
}
