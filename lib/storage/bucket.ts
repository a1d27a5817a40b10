import { checkKey } from "./store.ts";
import type { ListableStore } from "./store.ts";

export type BucketOptions = {
  bucket: string;
  /** `https://…` of any S3-compatible service. Unset: Amazon S3. */
  endpoint?: string | undefined;
  region?: string | undefined;
  accessKeyId: string;
  secretAccessKey: string;
};

/** The smallest part that S3 accepts, except for the last one. */
const partBytes = 5 * 1024 * 1024;

/**
 * A store in a bucket of any S3-compatible service. A failed write is aborted when its writer is garbage-collected. If
 * the process dies, the upload stays: give the bucket a rule that aborts unfinished uploads after a day.
 */
export function createBucketStore(options: BucketOptions): ListableStore {
  const client = new Bun.S3Client(options);
  return {
    put: async (key, bytes) => {
      const writer = client
        .file(checkKey(key))
        .writer({ type: "application/octet-stream", partSize: partBytes, queueSize: 1, retry: 3 });
      let buffered = 0;
      // Do not end the writer if `bytes` throws: `end` completes the upload, with or without an error.
      for await (const chunk of bytes) {
        await writer.write(chunk);
        buffered += chunk.length;
        if (buffered < partBytes) continue;
        // Backpressure: no other call waits until a part has been uploaded.
        await writer.flush();
        buffered = 0;
      }
      await writer.end();
    },
    get: async (key) => {
      const file = client.file(checkKey(key));
      try {
        const { size } = await file.stat();
        return { size, read: (start, end) => file.slice(start, end).bytes() };
      } catch (error) {
        if (isNotFound(error)) return null;
        throw error;
      }
    },
    delete: async (key) => {
      await client.file(checkKey(key)).delete();
    },
    list: async function* (prefix = "") {
      let continuationToken: string | undefined;
      do {
        const page = await client.list({ prefix, ...(continuationToken ? { continuationToken } : {}) });
        for (const { key, size } of page.contents ?? []) yield { key, size: size ?? 0 };
        continuationToken = page.isTruncated ? page.nextContinuationToken : undefined;
      } while (continuationToken !== undefined);
    },
  };
}

function isNotFound(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "NoSuchKey" || error.code === "NotFound");
}
