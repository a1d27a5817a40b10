import { setImmediate as nextTurn } from "node:timers/promises";
import { messageOf } from "../../../lib/core/errors.ts";
import { sleep } from "../../../lib/core/time.ts";
import { claimCopy, finishRestore, getCopy } from "../../../lib/db/index.ts";
import type { CopyScope, ShardCopyRow } from "../../../lib/db/index.ts";
import type { KeyRing } from "../../../lib/core/key_ring.ts";
import type { SealedStore } from "../../../lib/storage/index.ts";
import type { Logger } from "../../../lib/runtime/log.ts";
import { VolumeRefused } from "../volume/volume.ts";
import type { Volume } from "../volume/volume.ts";
import { decideClaim } from "./claim_rules.ts";
import { isEmptyVolume, readCopyRecord, wasDiscarded, writeCopyRecord } from "./copy_record.ts";
import type { CopyRecord } from "./copy_record.ts";
import type { Lease } from "./lease.ts";
import { leaseMs } from "./lease.ts";
import { refusal } from "./refusal.ts";
import { renewing } from "./renewal.ts";
import { restoreVolume } from "./restore.ts";
import { resetVolume } from "./signal_reset.ts";

/** Postgres is asked again after this, and a lease that still holds. */
const retryMs = 500;

export type ClaimOptions = {
  volume: Volume;
  keys: KeyRing;
  scope: CopyScope;
  storage: SealedStore;
  lease: Lease;
  /** True if nothing leaves the shard before the copy has it. */
  exact: boolean;
  /** Throws once another process owns the shard in Consul. */
  fence: () => void;
  signal: AbortSignal;
  logger: Logger;
};

export type Claimed = {
  copy: ShardCopyRow;
  record: CopyRecord;
  /** True if the volume may be ahead of the tail. */
  isAhead: boolean;
};

/**
 * Claims the shard's copy, and restores the shard from it if the volume is empty. Waits for Postgres, and for the lease
 * of a former owner.
 * @throws VolumeRefused if this volume must not be served (claim_rules.ts).
 */
export async function claimOwnCopy(options: ClaimOptions): Promise<Claimed> {
  const { signal, logger } = options;
  for (let waited = false; ; waited = true) {
    options.fence();
    try {
      const claimed = await attempt(options);
      if ("claimed" in claimed) return claimed.claimed;
      if (!waited) logger.warn({ ms: Math.round(claimed.waitMs) }, "the former owner's lease has to end first");
      await sleep(Math.min(claimed.waitMs, retryMs), signal);
    } catch (error) {
      if (error instanceof VolumeRefused || signal.aborted || !isUnavailable(error)) throw error;
      if (!waited) logger.warn({ error: messageOf(error) }, "the copy cannot be claimed yet: Postgres is unavailable");
      await sleep(retryMs, signal);
    }
  }
}

async function attempt(options: ClaimOptions): Promise<{ claimed: Claimed } | { waitMs: number }> {
  const { volume, scope, lease, exact, logger } = options;
  const { shard } = volume;
  const former = readCopyRecord(volume);
  const seen = await getCopy(scope, shard);
  const decision = decideClaim({ isEmpty: isEmptyVolume(volume), record: former, exact }, seen);
  if (decision.do === "refused") throw new VolumeRefused(refusal(volume, decision.why));
  if (decision.do === "wait") return { waitMs: decision.ms };
  const isRestore = decision.do === "restore";
  if (seen === undefined && former !== undefined && wasDiscarded(former)) {
    // Before the claim, which makes this volume the owner.
    logger.warn("the copy was discarded: the Signal sessions of every login are reset");
    await resetVolume(volume, options.keys, async () => {
      options.fence();
      await nextTurn();
    });
  }
  const record: CopyRecord = {
    volume: former?.volume ?? crypto.randomUUID(),
    epoch: (seen?.epoch ?? 0) + 1,
    state: isRestore ? "restoring" : "live",
    behind: decision.do === "snapshot" && !decision.isComplete,
    schema: former?.schema ?? "",
    key: former?.key ?? "",
    end: null,
  };
  // First on the volume: a volume whose epoch is behind Postgres was rolled back.
  writeCopyRecord(volume, record);
  const sentAt = performance.now();
  const copy = await claimCopy(scope, {
    shard,
    volume: record.volume,
    seen: seen ?? null,
    state: record.state,
    continues: isRestore || decision.do === "resume" || (decision.do === "snapshot" && decision.isComplete),
    exact,
    leaseMs,
  });
  if (copy === undefined) return { waitMs: retryMs };
  lease.confirmed(sentAt);
  logger.info({ epoch: copy.epoch, decision: decision.do }, "claimed the copy");
  if (!isRestore) return { claimed: { copy, record, isAhead: decision.do !== "resume" } };
  return { claimed: await restore(options, copy, record) };
}

async function restore(options: ClaimOptions, copy: ShardCopyRow, record: CopyRecord): Promise<Claimed> {
  const { volume, keys, scope, storage, exact, logger } = options;
  const { shard } = copy;
  const began = performance.now();
  const restored = await renewing(options, copy, (fence) =>
    restoreVolume({ volume, keys, scope, storage, copy, fence }),
  );
  const live: CopyRecord = { ...record, state: "live", schema: restored.schema };
  writeCopyRecord(volume, live);
  if (!(await finishRestore(scope, { owner: copy, exact })))
    throw new VolumeRefused(`Another process has claimed the copy of shard ${shard} during the restore.`);
  logger.info(
    { ...restored, was_exact: copy.exact, ms: Math.round(performance.now() - began) },
    "restored the shard from its copy",
  );
  return { copy: { ...copy, exact: copy.exact && exact, state: "live" }, record: live, isAhead: false };
}

function isUnavailable(error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code === "unavailable";
}
