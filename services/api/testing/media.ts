import { randomBytes } from "node:crypto";
import { KeyRing } from "../../../lib/core/key_ring.ts";
import { createMediaSigner } from "../../../lib/media-store/index.ts";
import { createSealedStore } from "../../../lib/storage/index.ts";
import type { ObjectStore } from "../../../lib/storage/index.ts";

/** An in-memory file store with encryption keys of its own. */
export function createTestMedia(publicUrl: string) {
  const objects = new Map<string, Uint8Array>();
  const store: ObjectStore = {
    put: async (key, bytes) => {
      const chunks = await Array.fromAsync(bytes, (chunk) => Buffer.from(chunk));
      objects.set(key, Buffer.concat(chunks));
    },
    get: async (key) => {
      const object = objects.get(key);
      return object ? { size: object.length, read: async (start, end) => object.subarray(start, end) } : null;
    },
    delete: async (key) => void objects.delete(key),
  };
  const keys = KeyRing.parse(`test:${randomBytes(32).toString("base64")}`);
  return { objects, store: createSealedStore(store, keys), signer: createMediaSigner(keys, publicUrl) };
}
