import { randomBytes } from "node:crypto";
import type { KeyRing, Sealer } from "../core/key_ring.ts";
import { yieldToLoop } from "../core/loop_budget.ts";
import type { ObjectStore } from "./store.ts";

/*
 * Encrypts objects under the services' key ring, in segments. Writing and reading therefore need the memory of a few
 * segments only, and any range can be read alone:
 *
 *   object = header (64 bytes) ‖ segment …      header  = "PSO1" ‖ length of key id ‖ key id ‖ salt (16), then zeros
 *   segment = nonce ‖ ciphertext ‖ tag          64 KiB of content in each but the last one
 *
 * Each object has a key of its own, derived from the ring's key and the salt. A segment is bound to its object's name,
 * to its index and to whether it is the last, so that no segment can be swapped, omitted or cut off unnoticed.
 */

const magic = "PSO1";
const headerBytes = 64;
const saltBytes = 16;
const segmentBytes = 64 * 1024;
/** Bytes of nonce and tag in each segment. */
const overhead = 28;
/** Segments in one read: 256 KiB, which a stalled reader holds in memory. */
const window = 4;

/** A store whose content is encrypted and authenticated: without the keys it cannot be read or changed unnoticed. */
export type SealedStore = {
  /** Stores the bytes under a key, all of them or none. Replaces an existing object. */
  put(key: string, bytes: AsyncIterable<Uint8Array>): Promise<void>;
  /** Returns the object of a key; null if there is none. */
  get(key: string): Promise<SealedObject | null>;
  /** Removes the object of a key. Does nothing if there is none. */
  delete(key: string): Promise<void>;
};

export type SealedObject = {
  /** Length of the content in bytes. */
  size: number;
  /** Reads the content, or its bytes from `start` to before `end`. Throws at the first segment that was altered. */
  bytes(start?: number, end?: number): AsyncGenerator<Uint8Array>;
};

export class BrokenObject extends Error {
  constructor(key: string) {
    super(`the object ${key} was not sealed by this platform, or was truncated`);
  }
}

export function createSealedStore(store: ObjectStore, keys: KeyRing): SealedStore {
  return {
    put: (key, bytes) => store.put(key, sealed(key, bytes, keys)),
    get: async (key) => {
      const object = await store.get(key);
      if (object === null) return null;
      const { sealer, keyId } = openHeader(key, await object.read(0, headerBytes), keys);
      const body = object.size - headerBytes;
      const segments = Math.ceil(body / (segmentBytes + overhead));
      const size = body - segments * overhead;
      if (segments === 0 || size < 0) throw new BrokenObject(key);

      async function* bytes(start = 0, end = size): AsyncGenerator<Uint8Array> {
        const [first, last] = [
          Math.floor(start / segmentBytes),
          Math.min(segments - 1, Math.floor((end - 1) / segmentBytes)),
        ];
        for (let from = first; from <= last; from += window) {
          const until = Math.min(from + window, last + 1);
          await turn();
          const boxes = await object!.read(offsetOf(from), Math.min(offsetOf(until), object!.size));
          for (let n = from; n < until; n++) {
            const offset = offsetOf(n) - offsetOf(from);
            const box = boxes.subarray(offset, offset + segmentBytes + overhead);
            const content = sealer.open({ keyId, box }, contextOf(key, n, n === segments - 1));
            yield content.subarray(Math.max(0, start - n * segmentBytes), Math.max(0, end - n * segmentBytes));
          }
        }
      }
      return { size, bytes };
    },
    delete: (key) => store.delete(key),
  };
}

let lastTurn = Promise.resolve();

/** Resolves in an event-loop turn of its own, so that hundreds of readers do not decrypt in the same turn. */
function turn(): Promise<void> {
  lastTurn = lastTurn.then(yieldToLoop);
  return lastTurn;
}

const offsetOf = (segment: number) => headerBytes + segment * (segmentBytes + overhead);

const contextOf = (key: string, segment: number, isLast: boolean) => `${key} ${segment} ${isLast ? "last" : "more"}`;

async function* sealed(key: string, bytes: AsyncIterable<Uint8Array>, keys: KeyRing): AsyncGenerator<Uint8Array> {
  const salt = randomBytes(saltBytes);
  const sealer = keys.sealer("object", salt);
  yield header(sealer.keyId, salt);
  let n = 0;
  let pending: Uint8Array | undefined;
  // Delays each segment until the next arrives, because the last one is sealed with the context "last".
  for await (const segment of inSegments(bytes)) {
    if (pending) yield sealer.seal(pending, contextOf(key, n++, false)).box;
    pending = segment;
  }
  yield sealer.seal(pending ?? new Uint8Array(), contextOf(key, n, true)).box;
}

/** Splits the bytes into segments of 64 KiB; the last one has the rest. No bytes give no segment. */
async function* inSegments(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let segment = Buffer.allocUnsafe(segmentBytes);
  let filled = 0;
  for await (const chunk of bytes) {
    for (let taken = 0; taken < chunk.length;) {
      const piece = chunk.subarray(taken, taken + segmentBytes - filled);
      segment.set(piece, filled);
      filled += piece.length;
      taken += piece.length;
      if (filled < segmentBytes) continue;
      yield segment;
      segment = Buffer.allocUnsafe(segmentBytes);
      filled = 0;
    }
  }
  if (filled > 0) yield segment.subarray(0, filled);
}

function header(keyId: string, salt: Uint8Array): Buffer {
  const bytes = Buffer.alloc(headerBytes);
  bytes.write(magic);
  bytes[4] = Buffer.byteLength(keyId);
  bytes.write(keyId, 5);
  bytes.set(salt, 5 + Buffer.byteLength(keyId));
  return bytes;
}

function openHeader(key: string, bytes: Uint8Array, keys: KeyRing): { sealer: Sealer; keyId: string } {
  const head = Buffer.from(bytes);
  const idBytes = head[4] ?? 0;
  if (head.length < headerBytes || head.toString("latin1", 0, 4) !== magic || idBytes > 32) throw new BrokenObject(key);
  const keyId = head.toString("utf8", 5, 5 + idBytes);
  return { keyId, sealer: keys.sealer("object", head.subarray(5 + idBytes, 5 + idBytes + saltBytes)) };
}
