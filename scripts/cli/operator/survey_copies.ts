import { listCopies, tailExtent } from "../../../lib/db/index.ts";
import type { CopyScope, ShardCopyRow } from "../../../lib/db/index.ts";

export type CopySurvey = {
  shard: number;
  epoch: number;
  /** True while an owner, or a restore, renews the lease. */
  leased: boolean;
  /** Milliseconds until the lease ends; negative once it has ended. */
  lease_left_ms: number;
  /** True while a process restores the shard. */
  restoring: boolean;
  /** True if the Signal sessions survive a restore. */
  exact: boolean;
  appended_ago_s: number;
  snapshot_bytes: number | null;
  tail_rows: number;
  tail_bytes: number;
  /** Why the copy cannot be restored; null if it can. The snapshot's object is not read. */
  fault: string | null;
};

/** The copy of each shard, and whether the shard could be restored from it. */
export async function surveyCopies(scope: CopyScope): Promise<CopySurvey[]> {
  const surveys: CopySurvey[] = [];
  for (const copy of await listCopies(scope)) {
    const tail = await tailExtent(scope, { shard: copy.shard, after: copy.snapshot_seq ?? 0 });
    surveys.push({
      shard: copy.shard,
      epoch: copy.epoch,
      leased: copy.lease_left_ms > 0,
      lease_left_ms: Math.round(copy.lease_left_ms),
      restoring: copy.state === "restoring",
      exact: copy.exact,
      appended_ago_s: Math.round(copy.appended_ago_ms / 1000),
      snapshot_bytes: copy.snapshot_bytes,
      tail_rows: tail.rows,
      tail_bytes: copy.tail_bytes,
      fault: faultOf(copy, tail),
    });
  }
  return surveys;
}

function faultOf(copy: ShardCopyRow, tail: { rows: number; last: number | null }): string | null {
  if (copy.snapshot_key === null || copy.snapshot_seq === null) return "it has no snapshot yet";
  if (!copy.complete) return "it has a gap, which the next snapshot closes";
  const missing = copy.tail_seq - copy.snapshot_seq - tail.rows;
  // The shard appends between the two statements.
  const isNewer = tail.last !== null && tail.last > copy.tail_seq;
  return missing > 0 && !isNewer ? `${missing} rows of its tail are missing` : null;
}
