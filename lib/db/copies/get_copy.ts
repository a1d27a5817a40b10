import { sql } from "../client/literal.ts";
import type { Statement } from "../client/literal.ts";
import type { Scope } from "../scope.ts";

/** A shard's copy, as it stands in Postgres. */
export type ShardCopyRow = {
  shard: number;
  epoch: number;
  volume: string;
  state: "live" | "restoring";
  complete: boolean;
  exact: boolean;
  /** Milliseconds until the lease ends; negative once it has ended. By the database's clock. */
  lease_left_ms: number;
  /** Milliseconds since the last append. */
  appended_ago_ms: number;
  tail_seq: number;
  tail_bytes: number;
  snapshot_key: string | null;
  snapshot_seq: number | null;
  snapshot_bytes: number | null;
  /** Milliseconds since the last snapshot; null without one. */
  snapshot_ago_ms: number | null;
  pending_key: string | null;
};

/**
 * Names a claim. The volume is part of it, because epochs begin again after a copy was discarded: a former owner that
 * was suspended in the meantime may have the number of the current one.
 */
export type CopyOwner = Pick<ShardCopyRow, "shard" | "epoch" | "volume">;

/** True for the row of the copy while this claim is the current one. */
export const isCurrent = ({ shard, epoch, volume }: CopyOwner): Statement =>
  sql`shard = ${shard} and epoch = ${epoch} and volume = ${volume}`;

/** Access to the copies: the shards' role has no scope, the platform's has. */
export type CopyScope = Pick<Scope, "ask">;

/** Numbers as float8: the driver returns a bigint as a text. */
export const copyColumns: Statement = sql`
  shard, epoch::float8 as epoch, volume, state, complete, exact,
  (extract(epoch from leased_until - clock_timestamp()) * 1000)::float8 as lease_left_ms,
  (extract(epoch from clock_timestamp() - appended_at) * 1000)::float8 as appended_ago_ms,
  tail_seq::float8 as tail_seq, tail_bytes::float8 as tail_bytes, snapshot_key,
  snapshot_seq::float8 as snapshot_seq, snapshot_bytes::float8 as snapshot_bytes,
  (extract(epoch from clock_timestamp() - snapshot_at) * 1000)::float8 as snapshot_ago_ms, pending_key`;

/** The copy of a shard; undefined if it has none. */
export async function getCopy(scope: CopyScope, shard: number): Promise<ShardCopyRow | undefined> {
  const [row] = await scope.ask<ShardCopyRow[]>(sql`
    select ${copyColumns} from shard_copies where shard = ${shard}`);
  return row;
}

/** The copies of all shards. */
export async function listCopies(scope: CopyScope): Promise<ShardCopyRow[]> {
  return [...(await scope.ask<ShardCopyRow[]>(sql`select ${copyColumns} from shard_copies order by shard`))];
}
