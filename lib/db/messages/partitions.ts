import { retry } from "../../core/retry.ts";
import { uuidv7Floor } from "../../core/ids.ts";
import { isLockTimeout } from "../migrations/migrate.ts";
import type { OwnerConnection } from "../client/owner.ts";

/** Attaching locks the default partition and readers queue behind it: give up early and retry. */
const lockTimeoutMs = 1_000;

export type MonthPartition = { name: string; from: string; to: string };

/** The partition of `messages` that holds the month of `at` (UTC), `ahead` months later. */
export function monthPartition(at: Date, ahead = 0): MonthPartition {
  const start = new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + ahead, 1));
  const end = Date.UTC(start.getUTCFullYear(), start.getUTCMonth() + 1, 1);
  const month = String(start.getUTCMonth() + 1).padStart(2, "0");
  return {
    name: `messages_${start.getUTCFullYear()}_${month}`,
    from: uuidv7Floor(start.getTime()),
    to: uuidv7Floor(end),
  };
}

/** Creates the partitions of this month and the `ahead` next ones; returns the names of new ones. */
export async function ensureMessagePartitions(
  sql: OwnerConnection,
  { now = new Date(), ahead = 3 }: { now?: Date; ahead?: number } = {},
): Promise<string[]> {
  const made: string[] = [];
  for (let month = 0; month <= ahead; month++) {
    const partition = monthPartition(now, month);
    const options = { attempts: 20, baseMs: 100, maxMs: 2_000, retryIf: isLockTimeout };
    if (await retry(() => createPartition(sql, partition), options)) made.push(partition.name);
  }
  return made;
}

/** Returns false if it exists. Transfers the month's rows out of the default partition. */
async function createPartition(sql: OwnerConnection, { name, from, to }: MonthPartition): Promise<boolean> {
  return sql.begin(async (tx): Promise<boolean> => {
    const [found] = await tx<[{ present: boolean }]>`select to_regclass(${name}) is not null as present`;
    if (found.present) return false;
    await tx`select set_config('lock_timeout', ${`${lockTimeoutMs}ms`}, true)`;
    await tx`create table ${tx(name)} (like messages including all)`;
    await tx`
      with moved as (delete from messages_default where id >= ${from} and id < ${to} returning *)
      insert into ${tx(name)} select * from moved`;
    // A bound is part of the definition, which takes no parameters; `from` and `to` are UUIDs made above.
    await tx.unsafe(`alter table messages attach partition ${name} for values from ('${from}') to ('${to}')`);
    return true;
  });
}
