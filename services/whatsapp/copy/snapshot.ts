import { messageOf } from "../../../lib/core/errors.ts";
import { yieldToLoop } from "../../../lib/core/loop_budget.ts";
import { beginSnapshot, finishSnapshot, trimTail } from "../../../lib/db/index.ts";
import type { CopyOwner, CopyScope } from "../../../lib/db/index.ts";
import type { Logger } from "../../../lib/runtime/log.ts";
import type { SealedStore } from "../../../lib/storage/index.ts";
import { endFrame, frameOf, recordsPerFrame } from "./frames.ts";
import type { ChangeRecord } from "./records.ts";
import { CopyLost } from "./tail.ts";
import type { Tail } from "./tail.ts";

/** Share of the time that a snapshot may block the event loop while sessions work. */
const shareOfTime = 0.25;

export type SnapshotOptions = {
  owner: CopyOwner;
  exact: boolean;
  scope: CopyScope;
  storage: SealedStore;
  tail: Pick<Tail, "seq" | "gaps" | "written">;
  /** The pages of the shard's state. Rows that change while it is read are also written to the tail. */
  pages: () => Iterable<ChangeRecord[]>;
  /** Objects that may exist in the storage. The snapshot adds its own before it writes it. */
  objects: Set<string>;
  /** False while nothing else works: the snapshot then takes the whole time. */
  isPaced: () => boolean;
  logger: Logger;
};

/** `seq` and `gaps` are those of the tail at which the snapshot began. */
export type Snapshot = { key: string; bytes: number; seq: number; gaps: number };

/**
 * Writes the shard's state to the storage and makes it the copy's base. Undefined if changes were dropped in the
 * meantime: the snapshot would hide the gap.
 *
 * The state is read while it changes. That is safe because the tail is replayed from the row at which reading began,
 * and its records are idempotent; and because the copy counts as complete only once the tail has every change up to the
 * end of the reading.
 */
export async function takeSnapshot(options: SnapshotOptions): Promise<Snapshot | undefined> {
  const { owner, exact, scope, storage, tail, objects } = options;
  const { seq, gaps } = tail;
  const key = `shards/${owner.shard}/${owner.epoch}-${seq}-${crypto.randomUUID()}`;
  if (!(await beginSnapshot(scope, { owner, key }))) throw new CopyLost();
  objects.add(key);
  let bytes = 0;
  await storage.put(
    key,
    counted(framesOf(options), (length) => (bytes += length)),
  );
  await tail.written();
  if (tail.gaps !== gaps) {
    await deleteObjects(options, [key]);
    return undefined;
  }
  if (!(await finishSnapshot(scope, { owner, key, seq, bytes, exact }))) throw new CopyLost();
  return { key, bytes, seq, gaps };
}

type Tidied = Pick<SnapshotOptions, "owner" | "scope" | "storage" | "objects" | "logger">;

/**
 * Deletes what a finished snapshot replaces: the other objects, and the rows of the tail that it contains. Best effort:
 * the next snapshot repeats what fails. Runs only after a finished snapshot, because an earlier object is the
 * copy's base if Postgres finished its snapshot and the answer was lost.
 */
export async function deleteReplaced(options: Tidied, { key, seq }: Snapshot): Promise<void> {
  const { owner, scope, objects, logger } = options;
  await deleteObjects(
    options,
    [...objects].filter((other) => other !== key),
  );
  try {
    await trimTail(scope, { owner, through: seq });
  } catch (error) {
    logger.warn({ error: messageOf(error) }, "the tail is not trimmed; the next snapshot trims it");
  }
}

async function deleteObjects({ storage, objects, logger }: Tidied, keys: readonly string[]): Promise<void> {
  for (const key of keys) {
    try {
      await storage.delete(key);
      objects.delete(key);
    } catch (error) {
      logger.warn({ key, error: messageOf(error) }, "an unused snapshot is not deleted; the next one deletes it");
    }
  }
}

async function* framesOf({ pages, isPaced }: SnapshotOptions): AsyncGenerator<Uint8Array> {
  let began = performance.now();
  for (const page of pages()) {
    for (const records of recordsPerFrame(page)) {
      yield frameOf(records);
      const took = performance.now() - began;
      await (isPaced() ? Bun.sleep(took * (1 / shareOfTime - 1)) : yieldToLoop());
      began = performance.now();
    }
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
