import { ensureAdminKey } from "../../lib/db/keys/admin_key.ts";
import { areAdvisoryLocksRestricted } from "../../lib/db/migrations/advisory_locks.ts";
import { applyMigrations } from "../../lib/db/migrations/migrate.ts";
import { connectAsOwner, withAdvisoryLock } from "../../lib/db/client/owner.ts";
import { ensureMessagePartitions } from "../../lib/db/messages/partitions.ts";

/** The advisory lock that serialises runs. */
export const migrateLock = "prosaas:migrate";

export type MigrateOptions = {
  /** DATABASE_URL. */
  url: string;
  adminKey: string;
  /** Months of partitions after this one. */
  partitionsAhead: number;
  now?: Date;
  /** Called once if another run holds the lock. */
  onWaiting?: () => void;
  /** Called if every role may take advisory locks, because no superuser has revoked them. */
  onOpenLocks?: () => void;
};

/** The changes of a run; empty if the database was up to date. */
export type Migrated = { migrations: string[]; partitions: string[]; admin_key_stored: boolean };

/** Brings the database up to date. Concurrent runs wait for the first one and then find nothing to do. */
export async function migrate({
  url,
  adminKey,
  partitionsAhead,
  now = new Date(),
  onWaiting,
  onOpenLocks,
}: MigrateOptions): Promise<Migrated> {
  const sql = connectAsOwner({ url, applicationName: "prosaas-migrate" });
  try {
    const done = await withAdvisoryLock(
      sql,
      migrateLock,
      async () => ({
        migrations: await applyMigrations(sql),
        partitions: await ensureMessagePartitions(sql, { now, ahead: partitionsAhead }),
        admin_key_stored: await ensureAdminKey(sql, adminKey),
      }),
      onWaiting,
    );
    if (!(await areAdvisoryLocksRestricted(sql))) onOpenLocks?.();
    return done;
  } finally {
    await sql.end({ timeout: 5 });
  }
}
