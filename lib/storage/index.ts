import { fileURLToPath } from "node:url";
import { z } from "zod";
import { zUrl } from "../runtime/config.ts";
import { createBucketStore } from "./bucket.ts";
import { createFolderStore } from "./folder.ts";
import type { ListableStore } from "./store.ts";

export type { ListableStore, ListedObject, ObjectStore, StoredObject } from "./store.ts";
export { createBucketStore } from "./bucket.ts";
export { deleteAll } from "./delete_all.ts";
export { createFolderStore } from "./folder.ts";
export { BrokenObject, createSealedStore } from "./sealed.ts";
export type { SealedObject, SealedStore } from "./sealed.ts";

/** Variables that a service with file storage reads. */
export const storageEnv = {
  /** `file:///folder`, or `s3://bucket`. */
  STORAGE_URL: zUrl("file", "s3").optional(),
  S3_ENDPOINT: zUrl("http", "https").optional(),
  S3_REGION: z.string().min(1).optional(),
  S3_ACCESS_KEY_ID: z.string().min(1).optional(),
  S3_SECRET_ACCESS_KEY: z.string().min(1).optional(),
};

type StorageConfig = z.output<z.ZodObject<typeof storageEnv>>;

/** Creates the store of STORAGE_URL; null if it is not set. Throws if a bucket's credentials are missing. */
export function createStore(config: StorageConfig): ListableStore | null {
  if (config.STORAGE_URL === undefined) return null;
  const url = new URL(config.STORAGE_URL);
  if (url.protocol === "file:") return createFolderStore(fileURLToPath(url));
  const { S3_ACCESS_KEY_ID: accessKeyId, S3_SECRET_ACCESS_KEY: secretAccessKey } = config;
  if (accessKeyId === undefined || secretAccessKey === undefined) {
    throw new TypeError("STORAGE_URL names a bucket; set S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY, too");
  }
  return createBucketStore({
    bucket: url.hostname,
    endpoint: config.S3_ENDPOINT,
    region: config.S3_REGION,
    accessKeyId,
    secretAccessKey,
  });
}
