import { checkKey } from "./store.ts";
import type { ObjectStore } from "./store.ts";

export type BucketOptions = {
  bucket: string;
  /** `https://…` of any S3-compatible service; Amazon's own where it is absent. */
  endpoint?: string | undefined;
  region?: string | undefined;
  accessKeyId: string;
  secretAccessKey: string;
};

/** A store in a bucket of any S3-compatible service. */
export function createBucketStore(options: BucketOptions): ObjectStore {
  const client = new Bun.S3Client(options);
  return {
    put: async (key, bytes, contentType) => {
      // In parts; what is not ended was never there.
      const writer = client.file(checkKey(key)).writer({ type: contentType, retry: 3 });
      for await (const chunk of bytes) await writer.write(chunk);
      await writer.end();
    },
    get: async (key) => {
      const file = client.file(checkKey(key));
      return (await file.exists()) ? file : null;
    },
    delete: async (key) => {
      await client.file(checkKey(key)).delete();
    },
  };
}
