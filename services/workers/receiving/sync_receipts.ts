import { sharedNow } from "../../../lib/core/time.ts";
import { AppError } from "../../../lib/core/errors.ts";
import {
  forPlatform,
  markReceiptsOverdue,
  advanceReceiptsCheck,
  receiptsCheckedUntil,
  shardsWithoutReceipts,
} from "../../../lib/db/index.ts";
import type { Handler } from "../../../lib/queues/index.ts";
import type { Deps } from "../deps.ts";
import { withLease } from "../lease.ts";

/** A receipt arrives within seconds if the recipient's phone is on, so one that is this late is checked. */
const overdueMs = 15 * 60_000;

/** Time range of messages per step. */
const windowMs = 10 * 60_000;

/** After a long outage, older messages are not checked. */
const longestLookBackMs = 2 * 86_400_000;

/** Retry delay while workers drain the journals. */
const drainingMs = 5_000;

/**
 * Checks each message for missing receipts once, after `overdueMs`. A shard whose journal still holds receipts is
 * drained first. If its journal is empty, WhatsApp never sent the receipts, and the message is marked overdue.
 */
export function syncReceipts(deps: Deps): Handler<"sync_receipts"> {
  const scope = forPlatform(deps.db);
  return async (run) => {
    const counts = { overdue: 0, woken: 0 };
    const result = await withLease(deps, "prosaas:lease:sync_receipts", async (lost) => {
      const until = sharedNow() - overdueMs;
      let from = await receiptsCheckedUntil(scope, new Date(until - windowMs));
      from = new Date(Math.max(from.getTime(), until - longestLookBackMs));
      while (from.getTime() < until && !run.signal.aborted && !run.stopping.aborted && !lost.aborted) {
        const window = { from, to: new Date(Math.min(from.getTime() + windowMs, until)) };
        const shards = await shardsWithoutReceipts(scope, window);
        const full = await shardsWithJournaledReceipts(deps, shards);
        if (full.length > 0) {
          for (const shard of full) await deps.producer.wake("receipts", { shard });
          counts.woken += full.length;
          return { counts, again: { inMs: drainingMs, reason: "receipts are in the journals" } };
        }
        const overdue = shards.length === 0 ? 0 : await markReceiptsOverdue(scope, window, shards);
        counts.overdue += overdue;
        deps.metrics.receiptsOverdue(overdue);
        await advanceReceiptsCheck(scope, window.to);
        from = window.to;
      }
      return { counts };
    });
    return result ?? { counts };
  };
}

/** Shards whose journal holds receipts. An unavailable shard counts as empty; it wakes its own jobs later. */
async function shardsWithJournaledReceipts({ router, shards }: Deps, numbers: readonly number[]): Promise<number[]> {
  const asked = await Promise.all(
    numbers.map(async (shard) => {
      try {
        const { through } = await shards.readJournal(router.shard(shard), "receipts", 1);
        return through === null ? [] : [shard];
      } catch (error) {
        if (error instanceof AppError) return [];
        throw error;
      }
    }),
  );
  return asked.flat();
}
