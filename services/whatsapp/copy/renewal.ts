import { AppError } from "../../../lib/core/errors.ts";
import { appendTail } from "../../../lib/db/index.ts";
import type { CopyScope, ShardCopyRow } from "../../../lib/db/index.ts";
import { leaseMs, renewMs } from "./lease.ts";
import type { Lease } from "./lease.ts";

type Options = { scope: CopyScope; lease: Lease; fence: () => void };

/** Renews the lease while `work` runs. Its `fence` throws once another process may have claimed the shard. */
export async function renewing<T>(
  { scope, lease, fence }: Options,
  owner: ShardCopyRow,
  work: (fence: () => void) => Promise<T>,
): Promise<T> {
  let isLost = false;
  const { shard, tail_seq: after } = owner;
  const renew = async () => {
    const sentAt = performance.now();
    const outcome = await appendTail(scope, { owner, after, entries: [], gap: false, leaseMs });
    if (outcome.is === "appended") lease.confirmed(sentAt);
    else if (outcome.is === "lost") isLost = true;
  };
  // A failed renewal shortens the lease; the next one follows.
  const timer = setInterval(() => void renew().catch(() => {}), renewMs);
  try {
    return await work(() => {
      fence();
      if (isLost || lease.leftMs <= 0) {
        throw new AppError("conflict", `Another process may have claimed the copy of shard ${shard}.`);
      }
    });
  } finally {
    clearInterval(timer);
  }
}
