import { decode, encode, inGroups } from "./records.ts";
import type { ChangeRecord } from "./records.ts";

/*
 * The content of a snapshot: frames of compressed records, each after its length (4 bytes), and an empty frame at the
 * end. Sealed by lib/storage, which detects a truncated or altered object; the end frame detects one that was never
 * finished.
 */

/** Most bytes of records in one frame, before compression. A larger record gets a frame of its own. */
const frameBytes = 4 * 1024 * 1024;
/** Longest frame that is read: bounds the memory of a restore. A row of SQLite has 10^9 bytes at most. */
const maxFrameBytes = 1024 * 1024 * 1024;

/** Splits a page of records into the contents of frames. */
export const recordsPerFrame = (page: readonly ChangeRecord[]): ChangeRecord[][] => inGroups(page, frameBytes);

export function frameOf(records: readonly ChangeRecord[]): Buffer {
  const content = Bun.zstdCompressSync(encode(records), { level: 1 });
  const length = Buffer.alloc(4);
  length.writeUInt32BE(content.length);
  return Buffer.concat([length, content]);
}

export const endFrame = Buffer.alloc(4);

/** @throws Error if the end is missing. */
export async function* recordsIn(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<ChangeRecord[]> {
  let held: Uint8Array[] = [];
  let [arrived, wanted] = [0, 4];
  let ended = false;
  for await (const chunk of bytes) {
    if (ended) throw new Error("the snapshot goes on after its end");
    held.push(chunk);
    arrived += chunk.length;
    // Joined once a frame is complete: a long one arrives in many chunks.
    if (arrived < wanted) continue;
    let rest = Buffer.concat(held);
    for (;;) {
      wanted = rest.length < 4 ? 4 : 4 + rest.readUInt32BE(0);
      if (wanted > 4 + maxFrameBytes) throw new Error("a frame of the snapshot is too long");
      if (ended || rest.length < wanted) break;
      if (wanted === 4) ended = true;
      else yield decode(Buffer.from(Bun.zstdDecompressSync(rest.subarray(4, wanted))));
      rest = rest.subarray(wanted);
    }
    held = [rest];
    arrived = rest.length;
  }
  if (!ended || arrived > 0) throw new Error("the snapshot ends before its last frame");
}
