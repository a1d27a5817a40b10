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

/** S3 takes no smaller parts, but for the last one. */
const partBytes = 5 * 1024 * 1024;

/**
 * A store in a bucket of any S3-compatible service. A write that breaks off is aborted by the collection of its writer,
 * and by nobody if the process dies: give the bucket a rule that aborts unfinished uploads after a day.
 */
export function createBucketStore(options: BucketOptions): ObjectStore {
  const client = new Bun.S3Client(options);
  return {
    put: async (key, bytes) => {
      const writer = client
        .file(checkKey(key))
        .writer({ type: "application/octet-stream", partSize: partBytes, queueSize: 1, retry: 3 });
      let waiting = 0;
      // Where `bytes` throws the writer must not be ended: that would complete the upload, with or without an error.
      for await (const chunk of bytes) {
        await writer.write(chunk);
        waiting += chunk.length;
        if (waiting < partBytes) continue;
        // The only call that waits until a part has left.
        await writer.flush();
        waiting = 0;
      }
      await writer.end();
    },
    get: async (key) => {
      const file = client.file(checkKey(key));
      try {
        const { size } = await file.stat();
        return { size, read: (start, end) => file.slice(start, end).bytes() };
      } catch (error) {
        if (isAbsence(error)) return null;
        throw error;
      }
    },
    delete: async (key) => {
      await client.file(checkKey(key)).delete();
    },
  };
}

function isAbsence(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "NoSuchKey" || error.code === "NotFound");
}
