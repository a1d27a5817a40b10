import { sql } from "../client/literal.ts";
import type { Statement } from "../client/literal.ts";
import { copyColumns, isCurrent } from "./get_copy.ts";
import type { CopyOwner, CopyScope, ShardCopyRow } from "./get_copy.ts";

export type CopyClaim = {
  shard: number;
  volume: string;
  /** The claim that the decision rests on; null if the shard has no copy. */
  seen: Pick<CopyOwner, "epoch" | "volume"> | null;
  state: "live" | "restoring";
  /** True if the claimer's state is the end of the tail, so that the tail goes on. */
  continues: boolean;
  /** True if nothing leaves the shard before the copy has it. */
  exact: boolean;
  leaseMs: number;
};

/**
 * Claims a shard's copy and its lease under the next epoch. Undefined if another process claimed it in the meantime, or
 * if another volume's lease is still valid.
 */
export async function claimCopy(scope: CopyScope, claim: CopyClaim): Promise<ShardCopyRow | undefined> {
  const { shard, volume, seen, state, continues, exact, leaseMs } = claim;
  const until = sql`now() + ${leaseMs}::float8 * interval '1 ms'`;
  const [row] = await scope.ask<ShardCopyRow[]>(
    seen === null
      ? sql`
          insert into shard_copies
            (shard, epoch, volume, state, complete, exact, leased_until, appended_at, tail_seq, tail_bytes)
          values (${shard}, 1, ${volume}, ${state}, false, false, ${until}, now(), 0, 0)
          on conflict do nothing
          returning ${copyColumns}`
      : sql`
          update shard_copies
          set epoch = epoch + 1, volume = ${volume}, state = ${state}, leased_until = ${until},
              complete = complete and ${continues},
              -- While a copy is restored it is only read.
              exact = exact and (${exact} or ${state} = 'restoring')
          where ${isCurrent({ ...seen, shard })} and (volume = ${volume} or leased_until <= now())
          returning ${copyColumns}`,
  );
  return row;
}

/** Ends a restore: the shard opens its sessions from now on. False for a former owner. */
export async function finishRestore(
  scope: CopyScope,
  { owner, exact }: { owner: CopyOwner; exact: boolean },
): Promise<boolean> {
  const rows = await scope.ask(sql`
    update shard_copies set state = 'live', exact = exact and ${exact}
    where ${isCurrent(owner)}
    returning shard`);
  return rows.length === 1;
}

/**
 * Ends the lease at the stop of a shard that has copied everything: nothing is missing, whatever its setting. Does
 * nothing for a former owner.
 */
export async function releaseCopy(scope: CopyScope, { owner, seq }: { owner: CopyOwner; seq: number }): Promise<void> {
  await scope.ask(sql`
    -- A second ago: the column rounds up to whole milliseconds, and the clock may be set back.
    update shard_copies set leased_until = now() - interval '1 second', exact = complete
    where ${isCurrent(owner)} and tail_seq = ${seq}`);
}

/** Deletes the copy of a shard whose volume stays without one. Returns the keys of its objects. */
export async function discardCopy(scope: CopyScope, shard: number, volume: string): Promise<string[]> {
  return (await deleteCopies(scope, sql`shard = ${shard} and volume = ${volume}`)) ?? [];
}

/**
 * Deletes a copy that has no owner. Returns the keys of its objects; undefined if the lease is held, or if another
 * claim followed `last`.
 */
export function discardAbandonedCopy(scope: CopyScope, last: CopyOwner): Promise<string[] | undefined> {
  return deleteCopies(scope, sql`${isCurrent(last)} and leased_until <= now()`);
}

async function deleteCopies(scope: CopyScope, condition: Statement): Promise<string[] | undefined> {
  const [row] = await scope.ask<{ snapshot_key: string | null; pending_key: string | null }[]>(sql`
    with gone as (
      delete from shard_copies where ${condition}
      returning shard, snapshot_key, pending_key
    ), tail as (
      delete from shard_tail t using gone where t.shard = gone.shard
    )
    select snapshot_key, pending_key from gone`);
  return row && [row.snapshot_key, row.pending_key].filter((key) => key !== null);
}
