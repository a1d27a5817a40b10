import { sql } from "../client/literal.ts";
import { isCurrent } from "./get_copy.ts";
import type { CopyOwner, CopyScope } from "./get_copy.ts";

/** Rows deleted by one statement. */
const rowsPerDeletion = 500;

/** Records the object of a snapshot before it is written, so that a killed process leaves no unknown one. */
export async function beginSnapshot(
  scope: CopyScope,
  { owner, key }: { owner: CopyOwner; key: string },
): Promise<boolean> {
  const rows = await scope.ask(sql`
    update shard_copies set pending_key = ${key} where ${isCurrent(owner)} returning shard`);
  return rows.length === 1;
}

export type FinishedSnapshot = {
  owner: CopyOwner;
  key: string;
  /** The last row of the tail at the start of the snapshot: a restore replays the rows after it. */
  seq: number;
  bytes: number;
  exact: boolean;
};

/** Makes a snapshot the copy's base; from then on the copy is complete. False for a former owner. */
export async function finishSnapshot(scope: CopyScope, snapshot: FinishedSnapshot): Promise<boolean> {
  const { owner, key, seq, bytes, exact } = snapshot;
  const rows = await scope.ask(sql`
    update shard_copies
    set snapshot_key = ${key}, snapshot_seq = ${seq}, snapshot_bytes = ${bytes}, snapshot_at = now(),
        -- Deleted next: a killed process leaves it to the next one.
        pending_key = snapshot_key, complete = true, exact = ${exact},
        tail_bytes = (select coalesce(sum(octet_length(box)), 0) from shard_tail
                      where shard = ${owner.shard} and seq > ${seq})
    where ${isCurrent(owner)}
    returning shard`);
  return rows.length === 1;
}

/** Deletes the rows of the tail that the snapshot contains. */
export async function trimTail(
  scope: CopyScope,
  { owner, through }: { owner: CopyOwner; through: number },
): Promise<void> {
  const { shard } = owner;
  for (;;) {
    const rows = await scope.ask(sql`
      delete from shard_tail
      where shard = ${shard}
        and seq in (select seq from shard_tail where shard = ${shard} and seq <= ${through}
                    order by seq limit ${rowsPerDeletion})
        and exists (select from shard_copies where ${isCurrent(owner)})
      returning seq`);
    if (rows.length < rowsPerDeletion) return;
  }
}

export type TailRow = { seq: number; key_id: string; box: Buffer };

/** A page of the tail, in order; at least one row, and no more than `maxBytes` otherwise. */
export async function readTail(
  scope: CopyScope,
  { shard, after, maxBytes }: { shard: number; after: number; maxBytes: number },
): Promise<TailRow[]> {
  return [
    ...(await scope.ask<TailRow[]>(sql`
      select seq::float8 as seq, key_id, box from (
        select seq, key_id, box, sum(octet_length(box)) over (order by seq) as bytes from (
          select seq, key_id, box from shard_tail where shard = ${shard} and seq > ${after} order by seq limit 500
        ) next
      ) page
      where bytes <= ${maxBytes} or seq = ${after + 1}
      order by seq`)),
  ];
}

/** The rows of a tail after `after`, to see whether one is missing. */
export async function tailExtent(
  scope: CopyScope,
  { shard, after }: { shard: number; after: number },
): Promise<{ rows: number; last: number | null }> {
  const [extent] = await scope.ask<{ rows: number; last: number | null }[]>(sql`
    select count(*)::int as rows, max(seq)::float8 as last from shard_tail where shard = ${shard} and seq > ${after}`);
  return extent!;
}
