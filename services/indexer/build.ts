import type { TransactionSql } from "postgres";
import { retry } from "../../lib/core/retry.ts";
import type { IndexDefinition } from "../../lib/db/indexes.ts";
import { isLockTimeout } from "../../lib/db/migrations/migrate.ts";
import type { OwnerConnection } from "../../lib/db/client/owner.ts";
import { attachedIndexes, indexState, partitionsOf } from "./catalog.ts";

/*
 * CREATE INDEX CONCURRENTLY blocks no write, but Postgres does not support it on a partitioned table. There, the index
 * is declared ON ONLY the parent, where it is empty and invalid; each partition's index is built CONCURRENTLY and
 * attached; with the last one Postgres marks the parent's index valid. A later partition gets its index when it is
 * attached.
 */

/** A step for the log: the statement's name and the index. */
export type Step = {
  action: "drop" | "drop_invalid" | "build" | "rebuild" | "declare" | "attach";
  index: string;
  table: string;
};
export type Progress = (step: Step) => void;

/** Bounds how long writes queue behind a statement that needs a short lock against them. */
const lockTimeoutMs = 500;

/** Builds one index, whatever an earlier run left of it. Returns whether there was work to do. */
export async function ensureIndex(sql: OwnerConnection, index: IndexDefinition, progress: Progress): Promise<boolean> {
  const partitions = await partitionsOf(sql, index.table);
  if (partitions === undefined) return buildConcurrently(sql, index, index.table, index.name, progress);

  let worked = false;
  if ((await indexState(sql, index.name)) === "missing") {
    progress({ action: "declare", index: index.name, table: index.table });
    await briefly(sql, (tx) => tx.unsafe(`create index ${index.name} on only ${index.table} ${body(index)}`));
    worked = true;
  }
  const attached = await attachedIndexes(sql, index.name);
  for (const partition of partitions) {
    const known = attached.get(partition);
    worked = known
      ? (await rebuildAttached(sql, partition, known, progress)) || worked
      : await buildAndAttach(sql, index, partition, progress);
  }
  if ((await indexState(sql, index.name)) !== "valid")
    throw new Error(`${index.name} is not valid, though each of its parts is`);
  return worked;
}

async function buildAndAttach(
  sql: OwnerConnection,
  index: IndexDefinition,
  partition: string,
  progress: Progress,
): Promise<true> {
  const name = partitionIndexName(partition, index);
  await buildConcurrently(sql, index, partition, name, progress);
  progress({ action: "attach", index: name, table: partition });
  await briefly(sql, (tx) => tx.unsafe(`alter index ${index.name} attach partition ${name}`));
  return true;
}

/** Rebuilds an invalid index that is attached to its parent's index: Postgres refuses to drop it. */
async function rebuildAttached(
  sql: OwnerConnection,
  partition: string,
  name: string,
  progress: Progress,
): Promise<boolean> {
  if ((await indexState(sql, name)) === "valid") return false;
  progress({ action: "rebuild", index: name, table: partition });
  await sql.unsafe(`reindex index concurrently ${name}`);
  return true;
}

async function buildConcurrently(
  sql: OwnerConnection,
  index: IndexDefinition,
  table: string,
  name: string,
  progress: Progress,
): Promise<boolean> {
  const state = await indexState(sql, name);
  if (state === "valid") return false;
  if (state === "invalid") {
    progress({ action: "drop_invalid", index: name, table });
    await sql.unsafe(`drop index concurrently ${name}`);
  }
  progress({ action: "build", index: name, table });
  await sql.unsafe(`create index concurrently ${name} on ${table} ${body(index)}`);
  return true;
}

function body({ columns, include, where }: IndexDefinition): string {
  return [`(${columns})`, include && `include (${include})`, where && `where ${where}`].filter(Boolean).join(" ");
}

/** "messages_2026_03" and "messages_by_chat" make "messages_2026_03_by_chat". */
function partitionIndexName(partition: string, { name, table }: IndexDefinition): string {
  return `${partition}_${name.startsWith(`${table}_`) ? name.slice(table.length + 1) : name}`;
}

/** Runs a statement that needs a lock against writes: gives up early, so that writes queue briefly, and retries. */
export async function briefly(
  sql: OwnerConnection,
  statement: (tx: TransactionSql) => PromiseLike<unknown>,
): Promise<void> {
  await retry(
    () =>
      sql.begin(async (tx) => {
        await tx`select set_config('lock_timeout', ${`${lockTimeoutMs}ms`}, true)`;
        await statement(tx);
      }),
    { attempts: 60, baseMs: 200, maxMs: 5_000, retryIf: isLockTimeout },
  );
}
