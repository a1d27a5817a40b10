import { AppError } from "../../../lib/core/errors.ts";
import { discardAbandonedCopy, getCopy } from "../../../lib/db/index.ts";
import type { CopyScope } from "../../../lib/db/index.ts";
import { deleteAll } from "../../../lib/storage/index.ts";
import type { ObjectStore } from "../../../lib/storage/index.ts";

export type DiscardPlan = {
  shard: number;
  epoch: number;
  /** The volume that made the last claim. */
  volume: string;
  /** True if the shard could be restored from the copy. */
  complete: boolean;
  appended_ago_s: number;
  /** Keys of the copy's objects in the storage. */
  objects: string[];
};

/** @throws AppError if the shard has no copy, or while an owner holds its lease. */
export async function planDiscard(scope: CopyScope, shard: number): Promise<DiscardPlan> {
  const copy = await getCopy(scope, shard);
  if (copy === undefined) throw new AppError("not_found", `Shard ${shard} has no copy.`);
  if (copy.lease_left_ms > 0) throw leaseHeld(shard);
  return {
    shard,
    epoch: copy.epoch,
    volume: copy.volume,
    complete: copy.complete,
    appended_ago_s: Math.round(copy.appended_ago_ms / 1000),
    objects: [copy.snapshot_key, copy.pending_key].filter((key) => key !== null),
  };
}

/**
 * Deletes the copy that the plan names. Returns the keys of the objects that are still in the storage: all of them
 * without a store.
 * @throws AppError if the copy was claimed after the plan.
 */
export async function discardPlanned(
  scope: CopyScope,
  { shard, epoch, volume }: DiscardPlan,
  store: ObjectStore | null,
): Promise<string[]> {
  const objects = await discardAbandonedCopy(scope, { shard, epoch, volume });
  if (objects === undefined) throw leaseHeld(shard);
  return deleteAll(store, objects);
}

const leaseHeld = (shard: number) =>
  new AppError(
    "conflict",
    `A process holds the lease of the copy of shard ${shard}. Nothing was changed. ` +
      "Stop the shard, wait 15 s and retry.",
  );
