import { beginSnapshot, finishSnapshot, trimTail } from "../../../lib/db/index.ts";
import type { CopyScope } from "../../../lib/db/index.ts";
import type { SealedStore } from "../../../lib/storage/index.ts";
import { endFrame, frameOf } from "./frames.ts";
import type { ChangeRecord } from "./records.ts";
import { CopyLost } from "./tail.ts";
import type { Tail } from "./tail.ts";

/** Share of the time that a snapshot may block the event loop while sessions work. */
const shareOfTime = 0.25;

export type SnapshotOptions = {
  shard: number;
  epoch: number;
  exact: boolean;
  scope: CopyScope;
  storage: SealedStore;
  tail: Tail;
  /** The pages of the shard's state. Rows that change while it is read are also written to the tail. */
  pages: () => Iterable<ChangeRecord[]>;
  /** The objects that the new snapshot replaces. */
  former: (string | null)[];
  /** False to take the whole time: nothing else works yet. */
  paced: boolean;
};

export type Snapshot = { key: string; bytes: number };

/**
 * Writes the shard's state to the storage and trims the tail behind it. Undefined if changes were dropped in the
 * meantime: the snapshot would hide the gap.
 *
 * The state is read while it changes. That is safe because the tail is replayed from the row at which reading began,
 * and its records are idempotent; and because the copy counts as complete only once the tail has every change up to the
 * end of the reading.
 */
export async function takeSnapshot(options: SnapshotOptions): Promise<Snapshot | undefined> {
  const { shard, epoch, exact, scope, storage, tail } = options;
  const { seq, gaps } = tail;
  const key = `shards/${shard}/${epoch}-${seq}-${crypto.randomUUID()}`;
  if (!(await beginSnapshot(scope, { shard, epoch, key }))) throw new CopyLost();
  let bytes = 0;
  await storage.put(
    key,
    counted(framesOf(options), (length) => (bytes += length)),
  );
  await tail.written();
  if (tail.gaps !== gaps) {
    await storage.delete(key);
    return undefined;
  }
  if (!(await finishSnapshot(scope, { shard, epoch, key, seq, bytes, exact }))) throw new CopyLost();
  for (const former of options.former) if (former !== null && former !== key) await storage.delete(former);
  await trimTail(scope, { shard, epoch, through: seq });
  return { key, bytes };
}

async function* framesOf({ pages, paced }: SnapshotOptions): AsyncGenerator<Uint8Array> {
  let began = performance.now();
  for (const records of pages()) {
    if (records.length > 0) yield frameOf(records);
    const took = performance.now() - began;
    await (paced ? Bun.sleep(took * (1 / shareOfTime - 1)) : new Promise((resolve) => setImmediate(resolve)));
    began = performance.now();
  }
  yield endFrame;
}

async function* counted(
  chunks: AsyncIterable<Uint8Array>,
  count: (length: number) => void,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    count(chunk.length);
    yield chunk;
  }
}
