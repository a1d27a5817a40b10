import type { ShardCopyRow } from "../../../lib/db/index.ts";
import type { CopyRecord } from "./copy_record.ts";

/*
 * Decides how a starting shard claims its copy. Pure. The shard holds the locks of its volume and of its number in
 * Consul.
 *
 *   no copy                                          ──▶ first      a snapshot makes the copy complete
 *   a copy that never had content, empty volume      ──▶ first      once another volume's lease has ended
 *   own copy, clean end at the tail's last row       ──▶ resume     the tail goes on
 *   own copy, any other end                          ──▶ snapshot   the volume may be ahead of the tail: what a
 *                                                                  killed process had not copied. The copy stays
 *                                                                  complete unless that was more than a moment.
 *   own copy, its restore was interrupted            ──▶ restore    from the start
 *   another volume's copy, and this volume has state ──▶ refused    the shard was restored elsewhere: fenced
 *   another volume's copy, and this one is empty     ──▶ wait until the lease has ended, then restore
 */
export type ClaimDecision =
  | { do: "first" }
  | { do: "resume" }
  | { do: "snapshot"; isComplete: boolean }
  | { do: "restore" }
  | { do: "wait"; ms: number }
  | { do: "refused"; why: string };

export type OwnVolume = {
  /** True if no shard has written to the volume yet. */
  isEmpty: boolean;
  /** Undefined for a volume that never had a copy. */
  record: CopyRecord | undefined;
  /** True if nothing leaves the shard before the copy has it. */
  exact: boolean;
};

export type CopyState = Pick<
  ShardCopyRow,
  "epoch" | "volume" | "state" | "complete" | "exact" | "lease_left_ms" | "tail_seq" | "snapshot_key"
>;

export function decideClaim(own: OwnVolume, copy: CopyState | undefined): ClaimDecision {
  const { record, isEmpty } = own;
  if (copy === undefined) return { do: "first" };
  if (record === undefined || copy.volume !== record.volume) {
    if (!isEmpty) {
      return {
        do: "refused",
        why: `the shard was restored to another volume (epoch ${copy.epoch}), and the state on this one is out of date`,
      };
    }
    if (copy.lease_left_ms > 0) return { do: "wait", ms: copy.lease_left_ms };
    return hasContent(copy) ? restore(copy) : { do: "first" };
  }
  if (record.epoch < copy.epoch) {
    return { do: "refused", why: `the volume was rolled back from epoch ${copy.epoch} to ${record.epoch}` };
  }
  if (record.state === "restoring") return restore(copy);
  if (isEmpty && !hasContent(copy)) return { do: "first" };
  if (isEmpty) return { do: "refused", why: "the state of the shard was deleted from the volume" };
  const isSame = record.end === copy.tail_seq && record.epoch === copy.epoch;
  if (isSame) return { do: "resume" };
  // Changes that an exact copy lacks have never left the shard, and do not before the snapshot.
  return { do: "snapshot", isComplete: !record.behind || (own.exact && copy.exact) };
}

/** False if its owner died between the first claim and the first row or snapshot. */
const hasContent = ({ snapshot_key, tail_seq }: CopyState) => snapshot_key !== null || tail_seq > 0;

function restore({ complete }: CopyState): ClaimDecision {
  if (complete) return { do: "restore" };
  return {
    do: "refused",
    why: "the copy has a gap: the shard stopped before its snapshot was complete, so its logins must be linked again",
  };
}
