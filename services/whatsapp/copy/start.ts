import { setImmediate as nextTurn } from "node:timers/promises";
import { createDatabase, discardCopy, forNobody, getCopy } from "../../../lib/db/index.ts";
import type { CopyScope, Waits } from "../../../lib/db/index.ts";
import type { Logger } from "../../../lib/runtime/log.ts";
import type { Lifecycle } from "../../../lib/runtime/lifecycle.ts";
import { createSealedStore, createStore, deleteAll } from "../../../lib/storage/index.ts";
import type { SealedStore } from "../../../lib/storage/index.ts";
import type { ShardConfig } from "../config.ts";
import type { Owner } from "../volume/owner.ts";
import type { ShardDb } from "../volume/shard_db.ts";
import { VolumeRefused } from "../volume/volume.ts";
import type { Volume } from "../volume/volume.ts";
import { claimOwnCopy } from "./claim.ts";
import { decideClaim } from "./claim_rules.ts";
import { ShardCopy } from "./copy.ts";
import { isEmptyVolume, readCopyRecord, removeCopyRecord, wasDiscarded, writeCopyRecord } from "./copy_record.ts";
import { Lease } from "./lease.ts";
import { refusal } from "./refusal.ts";
import { resetVolume } from "./signal_reset.ts";

/** Together less than the lease: a lost answer costs one renewal. */
const waits: Waits = { acquireMs: 2_000, answerMs: 4_000 };

/** Postgres has the tail of the copy, the storage its snapshots. */
export type CopyAccess = { scope: CopyScope; storage: SealedStore | null };

export type CopyStart = {
  config: ShardConfig;
  volume: Volume;
  owner: Owner;
  /** Null if WA_DURABILITY is local and DATABASE_URL_POOLER is not set. */
  access: CopyAccess | null;
  life: Lifecycle;
  logger: Logger;
};

/** Connects to Postgres and the storage, if the shard has or had a copy. */
export function connectCopy(config: ShardConfig, volume: Volume, life: Lifecycle): CopyAccess | null {
  const { WA_DURABILITY: durability, DATABASE_URL_POOLER: url } = config;
  if (url === undefined || (durability === "local" && readCopyRecord(volume) === undefined)) return null;
  const db = createDatabase({
    url,
    // One appends, one takes a snapshot.
    poolSize: 2,
    applicationName: "whatsapp-shard",
    waits,
  });
  life.onStop("postgres", () => db.close());
  const store = createStore(config);
  return { scope: forNobody(db), storage: store === null ? null : createSealedStore(store, config.AUTH_KEYS) };
}

/**
 * Why this volume must not be served; undefined if it may. Read before the shard's lock in Consul is taken, so that a
 * volume that was succeeded does not hold the lock against the owner. The claim decides (claim.ts).
 */
export async function refusalOfVolume(
  { WA_DURABILITY: durability }: ShardConfig,
  volume: Volume,
  access: CopyAccess | null,
): Promise<string | undefined> {
  if (access === null) return undefined;
  const own = { isEmpty: isEmptyVolume(volume), record: readCopyRecord(volume), exact: durability === "required" };
  const copy = await getCopy(access.scope, volume.shard);
  // The copy will be discarded.
  if (durability === "local" && copy?.volume === own.record?.volume) return undefined;
  const decision = decideClaim(own, copy);
  return decision.do === "refused" ? refusal(volume, decision.why) : undefined;
}

/**
 * Claims the shard's copy, before its database is opened; restores the shard if its volume is empty. Resolves with the
 * second half of the start, which begins copying; undefined if WA_DURABILITY is local.
 */
export async function startCopy(start: CopyStart): Promise<((db: ShardDb) => ShardCopy) | undefined> {
  const { config, volume, owner, access, life, logger } = start;
  const { WA_DURABILITY: durability, AUTH_KEYS: keys } = config;
  if (durability === "local") return discard(start);
  const { scope, storage } = access!;
  const lease = new Lease(() => owner.confirmedAt);
  const claimed = await claimOwnCopy({
    volume,
    keys,
    scope,
    storage: storage!,
    lease,
    exact: durability === "required",
    fence: () => owner.fence(),
    signal: life.stopping,
    logger,
  });
  return (db) => {
    const copy = new ShardCopy({
      durability,
      volume,
      keys,
      db,
      scope,
      storage: storage!,
      lease,
      claimed,
      logger,
      onLost: (reason) => life.fail(new Error(`shard ${volume.shard} stops: ${reason}`)),
    });
    life.onStop("the shard's copy", () => copy.stop());
    return copy;
  };
}

/** A copy that is no longer written must not be restored. */
async function discard(start: CopyStart): Promise<undefined> {
  const { volume, logger } = start;
  const record = readCopyRecord(volume);
  if (record === undefined) return;
  if (start.access === null) {
    throw new VolumeRefused(
      `The volume at ${volume.path} has a copy, and WA_DURABILITY is local: set DATABASE_URL_POOLER, so that the ` +
        "copy is deleted. A copy that is no longer written must not be restored.",
    );
  }
  const { scope, storage } = start.access;
  const copy = await getCopy(scope, volume.shard);
  if (copy !== undefined && copy.volume !== record.volume) {
    throw new VolumeRefused(refusal(volume, `the shard was restored to another volume (epoch ${copy.epoch})`));
  }
  if (copy === undefined && wasDiscarded(record)) await resetVolume(volume, start.config.AUTH_KEYS, nextTurn);
  // First on the volume: if the process dies amid this, the next start knows which party deleted the copy.
  writeCopyRecord(volume, { ...record, discarding: true });
  const objects = await discardCopy(scope, volume.shard, record.volume);
  removeCopyRecord(volume);
  // Best effort: the shard starts without the storage.
  const left = await deleteAll(storage, objects);
  if (left.length > 0)
    logger.warn({ objects: left }, "objects of the deleted copy are left in the storage: delete them");
  logger.info("deleted the shard's copy");
}
