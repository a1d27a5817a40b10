import { sharedNow } from "../../../lib/core/time.ts";
import { AppError } from "../../../lib/core/errors.ts";
import { forPlatform, markOverdue, moveOverdueMark, overdueMark, shardsWithoutTicks } from "../../../lib/db/index.ts";
import type { Handler } from "../../../lib/queues/index.ts";
import type { Deps } from "../deps.ts";
import { withLease } from "../lease.ts";

/** A tick comes within seconds where the recipient's phone is on; one that has not come by now is worth a question. */
const overdueMs = 15 * 60_000;

/** Messages of so much time are looked at in one step. */
const windowMs = 10 * 60_000;

/** After a long standstill older messages are not looked at any more. */
const longestLookBackMs = 2 * 86_400_000;

/** A shard's journal is being brought in: it is asked again then. */
const bringingInMs = 5_000;

/**
 * Looks at each message once, when its ticks have had their time. Where some are missing, its shard is asked: ticks that
 * lie in its journal are brought in, which settles them; what a shard with an empty journal does not have was never
 * told us, and is marked.
 */
export function syncReceipts(deps: Deps): Handler<"sync_receipts"> {
  const scope = forPlatform(deps.db);
  return async (run) => {
    const counts = { overdue: 0, woken: 0 };
    const result = await withLease(deps, "prosaas:lease:sync_receipts", async (lost) => {
      const until = sharedNow() - overdueMs;
      let from = await overdueMark(scope, new Date(until - windowMs));
      from = new Date(Math.max(from.getTime(), until - longestLookBackMs));
      while (from.getTime() < until && !run.signal.aborted && !run.stopping.aborted && !lost.aborted) {
        const window = { from, to: new Date(Math.min(from.getTime() + windowMs, until)) };
        const shards = await shardsWithoutTicks(scope, window);
        const full = await shardsWithTicks(deps, shards);
        if (full.length > 0) {
          for (const shard of full) await deps.producer.wake("receipts", { shard });
          counts.woken += full.length;
          return { counts, again: { inMs: bringingInMs, reason: "ticks are being brought in" } };
        }
        const overdue = shards.length === 0 ? 0 : await markOverdue(scope, window, shards);
        counts.overdue += overdue;
        deps.metrics.ticksOverdue(overdue);
        await moveOverdueMark(scope, window.to);
        from = window.to;
      }
      return { counts };
    });
    return result ?? { counts };
  };
}

/** Those whose journal holds ticks that have not been brought in. Of one that cannot be asked nobody knows: it counts as empty, and wakes us itself. */
async function shardsWithTicks({ router, shards }: Deps, numbers: readonly number[]): Promise<number[]> {
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
