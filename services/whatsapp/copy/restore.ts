import { setImmediate as nextTurn } from "node:timers/promises";
import type { KeyRing } from "../../../lib/core/key_ring.ts";
import { readTail } from "../../../lib/db/index.ts";
import type { CopyScope, ShardCopyRow } from "../../../lib/db/index.ts";
import type { SealedStore } from "../../../lib/storage/index.ts";
import { VolumeRefused } from "../volume/volume.ts";
import type { Volume } from "../volume/volume.ts";
import { recordsIn } from "./frames.ts";
import { Rebuild } from "./rebuild.ts";
import { decode } from "./records.ts";
import { wayOut } from "./refusal.ts";
import { resetSignalSessions } from "./signal_reset.ts";
import { contextOf } from "./tail.ts";

/** A page of the tail in memory. */
const pageBytes = 8 * 1024 * 1024;

export type RestoreOptions = {
  volume: Volume;
  keys: KeyRing;
  scope: CopyScope;
  storage: SealedStore;
  copy: ShardCopyRow;
  /** Throws once another process may have claimed the shard. */
  fence: () => void;
};

export type Restored = { seq: number; tail_rows: number; stores: number; schema: string };

/**
 * Builds the state of a shard on an empty volume: its snapshot, and then each row of the tail. A copy that may lag
 * behind what the shard has sent has its Signal sessions reset (signal_reset.ts).
 * @throws VolumeRefused if the copy has a gap, was altered, or is sealed under another key.
 */
export async function restoreVolume(options: RestoreOptions): Promise<Restored> {
  const pause = async () => {
    options.fence();
    await nextTurn();
  };
  const rebuild = new Rebuild(options.volume, options.keys, pause);
  try {
    const restored = await replay(rebuild, options);
    return { ...restored, schema: await rebuild.finish() };
  } catch (error) {
    rebuild.abandon();
    throw error;
  }
}

async function replay(rebuild: Rebuild, options: RestoreOptions): Promise<Omit<Restored, "schema">> {
  const { copy, storage, scope, keys } = options;
  const { shard, snapshot_key: key, snapshot_seq: from } = copy;
  const snapshot = key === null ? null : await storage.get(key);
  if (snapshot === null || from === null) {
    throw new VolumeRefused(
      `The snapshot ${key ?? ""} of shard ${shard} is not in the storage: it cannot be restored. ${wayOut(shard)}`,
    );
  }
  for await (const records of recordsIn(snapshot.bytes())) {
    await rebuild.apply(records);
  }
  const sealer = keys.rotatingSealer("shard tail", Buffer.alloc(0));
  let seq = from;
  for (;;) {
    const rows = await readTail(scope, { shard, after: seq, maxBytes: pageBytes });
    if (rows.length === 0) break;
    for (const { seq: next, key_id: keyId, box } of rows) {
      if (next !== seq + 1) throw gap(shard, seq + 1);
      const plain = sealer.open({ keyId, box }, contextOf(shard, next));
      await rebuild.apply(decode(Buffer.from(Bun.zstdDecompressSync(plain))));
      seq = next;
    }
  }
  if (seq !== copy.tail_seq) throw gap(shard, seq + 1);
  const stores = await rebuild.writeStores();
  if (!copy.exact) await rebuild.eachStore(resetSignalSessions);
  return { seq, tail_rows: seq - from, stores };
}

const gap = (shard: number, seq: number) =>
  new VolumeRefused(
    `The tail of shard ${shard} lacks row ${seq}: the copy has a gap and cannot be restored. ${wayOut(shard)}`,
  );
