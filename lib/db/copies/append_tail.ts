import { sql } from "../client/literal.ts";
import type { Statement } from "../client/literal.ts";
import { isCurrent } from "./get_copy.ts";
import type { CopyOwner, CopyScope } from "./get_copy.ts";

/** A row of the tail: changes of the shard, sealed. */
export type TailEntry = { key_id: string; box: Uint8Array };

export type TailAppend = {
  owner: CopyOwner;
  /** The last row that the tail has. */
  after: number;
  /** None to renew the lease only. */
  entries: readonly TailEntry[];
  /** True if changes before these are missing: the copy cannot be restored until its next snapshot. */
  gap: boolean;
  leaseMs: number;
};

export type AppendOutcome =
  /** Also if an earlier attempt appended these entries and its answer was lost. */
  | { is: "appended" }
  /** Another process has claimed the copy. */
  | { is: "lost" }
  /** The tail ends elsewhere: Postgres has lost rows, for example by a failover. */
  | { is: "gap"; tailSeq: number }
  /** Nothing was appended. */
  | { is: "retry" };

type Before = { epoch: number; volume: string; tail_seq: number; appended: boolean };

/** Appends to the tail of a shard and renews its lease, in one statement that a former owner cannot execute. */
export async function appendTail(scope: CopyScope, append: TailAppend): Promise<AppendOutcome> {
  const { owner, after, entries, gap, leaseMs } = append;
  const bytes = entries.reduce((sum, { box }) => sum + box.length, 0);
  const [before] = await scope.ask<Before[]>(sql`
    with owner as (
      update shard_copies
      set tail_seq = tail_seq + ${entries.length}, tail_bytes = tail_bytes + ${bytes},
          complete = complete and not ${gap}, appended_at = now(),
          leased_until = now() + ${leaseMs}::float8 * interval '1 ms'
      where ${isCurrent(owner)} and tail_seq = ${after}
      returning shard
    )${entries.length === 0 ? sql`` : insertOf(entries, after)}
    select epoch::float8 as epoch, volume, tail_seq::float8 as tail_seq, exists (select from owner) as appended
    from shard_copies where shard = ${owner.shard}`);
  if (before?.appended) return { is: "appended" };
  if (before === undefined || before.epoch !== owner.epoch || before.volume !== owner.volume) return { is: "lost" };
  // The statement waited for another one and read the row before that: the next attempt reads more.
  if (before.tail_seq === after) return { is: "retry" };
  if (before.tail_seq === after + entries.length) return { is: "appended" };
  return { is: "gap", tailSeq: before.tail_seq };
}

function insertOf(entries: readonly TailEntry[], after: number): Statement {
  let rows = sql``;
  for (const [i, { key_id, box }] of entries.entries()) {
    const base64 = Buffer.from(box.buffer, box.byteOffset, box.byteLength).toString("base64");
    rows = sql`${rows}${i === 0 ? sql`` : sql`, `}(${after + 1 + i}::bigint, ${key_id}, ${base64})`;
  }
  return sql`, added as (
      insert into shard_tail (shard, seq, key_id, box)
      select owner.shard, entry.seq, entry.key_id, decode(entry.box, 'base64')
      from owner, (values ${rows}) as entry (seq, key_id, box)
    )`;
}
