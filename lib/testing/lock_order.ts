import type postgres from "postgres";
import { connectAsOwner } from "../db/client/owner.ts";
import type { MigratedDatabase } from "./database.ts";
import { until } from "./until.ts";

/** A statement that locks something in a transaction. */
export type TakeLock = (tx: postgres.TransactionSql) => PromiseLike<unknown>;

export const lockRow =
  (table: string, id: string): TakeLock =>
  (tx) =>
    tx`select from ${tx(table)} where id = ${id} for update`;

/**
 * Runs `work` beside a transaction that takes two locks in order: it has the first before `work` begins, and asks for
 * the last as soon as `work` waits for the first. Rejects with a deadlock if `work` holds the last by then.
 */
export async function besideOrderedLocks<T>(
  { owner, ownerUrl }: Pick<MigratedDatabase, "owner" | "ownerUrl">,
  [first, last]: readonly [TakeLock, TakeLock],
  work: () => Promise<T>,
): Promise<T> {
  const other = connectAsOwner({ url: ownerUrl, applicationName: "test-locks" });
  const isWaiting = async () => {
    const [row] = await owner<[{ waiting: boolean }]>`
      select exists (
        select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock') as waiting`;
    return row.waiting;
  };
  try {
    const { running } = await other.begin(async (tx) => {
      await first(tx);
      const running = work();
      running.catch(() => {});
      await until(isWaiting, { what: "the first lock to be waited for" });
      await last(tx);
      return { running };
    });
    return await running;
  } finally {
    await other.end();
  }
}
