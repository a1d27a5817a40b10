import { ensureAdminKey } from "../../lib/db/keys/admin_key.ts";
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
}: MigrateOptions): Promise<Migrated> {
  const sql = connectAsOwner({ url, applicationName: "prosaas-migrate" });
  try {
    return await withAdvisoryLock(
      sql,
      migrateLock,
      async () => ({
        migrations: await applyMigrations(sql),
        partitions: await ensureMessagePartitions(sql, { now, ahead: partitionsAhead }),
        admin_key_stored: await ensureAdminKey(sql, adminKey),
      }),
      onWaiting,
    );
  } finally {
    await sql.end({ timeout: 5 });
  }
}
