import { decode, encode, inGroups } from "./records.ts";
import type { ChangeRecord } from "./records.ts";

/*
 * The content of a snapshot: frames of compressed records, each after its length (4 bytes), and an empty frame at the
 * end. Sealed by lib/storage, which detects a truncated or altered object; the end frame detects one that was never
 * finished.
 */

/** Most bytes of records in one frame, before compression. A larger record gets a frame of its own. */
const frameBytes = 4 * 1024 * 1024;
/** Longest frame that is written and read: bounds the memory of a restore. */
const maxFrameBytes = 64 * 1024 * 1024;

/** Splits a page of records into the contents of frames. */
export const recordsPerFrame = (page: readonly ChangeRecord[]): ChangeRecord[][] => inGroups(page, frameBytes);

/** @throws RangeError if a restore would refuse the frame because of its length. */
export function frameOf(records: readonly ChangeRecord[]): Buffer {
  const content = Bun.zstdCompressSync(encode(records), { level: 1 });
  if (content.length > maxFrameBytes) throw new RangeError("a record is too large for a snapshot");
  const length = Buffer.alloc(4);
  length.writeUInt32BE(content.length);
  return Buffer.concat([length, content]);
}

export const endFrame = Buffer.alloc(4);

/** @throws Error if the end is missing. */
export async function* recordsIn(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<ChangeRecord[]> {
  let held = Buffer.alloc(0);
  let ended = false;
  for await (const chunk of bytes) {
    if (ended) throw new Error("the snapshot goes on after its end");
    held = Buffer.concat([held, chunk]);
    while (!ended && held.length >= 4) {
      const length = held.readUInt32BE(0);
      if (length > maxFrameBytes) throw new Error("a frame of the snapshot is too long");
      if (held.length < 4 + length) break;
      if (length === 0) ended = true;
      else yield decode(Buffer.from(Bun.zstdDecompressSync(held.subarray(4, 4 + length))));
      held = held.subarray(4 + length);
    }
  }
  if (!ended || held.length > 0) throw new Error("the snapshot ends before its last frame");
}
