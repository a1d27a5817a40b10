import { drizzle } from "drizzle-orm/postgres-js";
import { readMigrationFiles } from "drizzle-orm/migrator";
import { migrate } from "drizzle-orm/postgres-js/migrator";
import { fileURLToPath } from "node:url";
import { retry } from "../../core/retry.ts";
import journal from "./meta/_journal.json" with { type: "json" };
import type { OwnerConnection } from "../client/owner.ts";
import { restrictAdvisoryLocks } from "./advisory_locks.ts";
import { applyFunctions } from "./functions.ts";
import { setRoleLimits } from "./role_limits.ts";
import { prepareShardRole } from "./shard_role.ts";

const migrationsFolder = fileURLToPath(new URL(".", import.meta.url));
const record = { migrationsSchema: "drizzle", migrationsTable: "migrations" };

/** How long a migration waits for a lock: writes queue behind it. */
const lockTimeoutMs = 2_000;
const lockNotAvailable = "55P03";

type Applied = { created_at: string; hash: string };

/**
 * Runs the pending migrations in one transaction, then replaces the functions; returns the tags of these migrations.
 * Throws if an applied migration was edited since: the database could no longer be rebuilt from the files.
 */
export async function applyMigrations(sql: OwnerConnection): Promise<string[]> {
  const before = await appliedMigrations(sql);
  refuseEdited(before);
  await sql`select set_config('lock_timeout', ${`${lockTimeoutMs}ms`}, false)`;
  try {
    await retry(() => migrate(drizzle(sql), { migrationsFolder, ...record }), {
      attempts: 10,
      baseMs: 250,
      maxMs: 5_000,
      retryIf: isLockTimeout,
    });
  } finally {
    await sql`select set_config('lock_timeout', '0', false)`;
  }
  await applyFunctions(sql);
  await setRoleLimits(sql);
  await prepareShardRole(sql);
  await restrictAdvisoryLocks(sql);
  const known = new Set(before.map((row) => Number(row.created_at)));
  return journal.entries.filter((entry) => !known.has(entry.when)).map((entry) => entry.tag);
}

/** True if the error, or one of its causes, is a lock timeout. */
export function isLockTimeout(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return ("code" in error && error.code === lockNotAvailable) || isLockTimeout(error.cause);
}

async function appliedMigrations(sql: OwnerConnection): Promise<Applied[]> {
  const [table] = await sql<[{ present: boolean }]>`
    select to_regclass(${`${record.migrationsSchema}.${record.migrationsTable}`}) is not null as present`;
  if (!table.present) return [];
  return sql<Applied[]>`select created_at, hash from ${sql(record.migrationsSchema)}.${sql(record.migrationsTable)}`;
}

function refuseEdited(applied: Applied[]): void {
  const hashes = new Map(applied.map((row) => [Number(row.created_at), row.hash]));
  const files = readMigrationFiles({ migrationsFolder });
  const edited = journal.entries.filter((entry, i) => {
    const hash = hashes.get(entry.when);
    return hash !== undefined && hash !== files[i]!.hash;
  });
  if (edited.length === 0) return;
  throw new Error(
    `${edited.map((entry) => entry.tag).join(", ")} was edited after it was applied to this database; ` +
      "restore it and write a new migration",
  );
}
