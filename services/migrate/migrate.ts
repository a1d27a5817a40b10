import { ensureAdminKey } from "../../lib/db/keys/admin_key.ts";
import { applyMigrations } from "../../lib/db/migrations/migrate.ts";
import { connectAsOwner, withAdvisoryLock } from "../../lib/db/client/owner.ts";
import { ensureMessagePartitions } from "../../lib/db/messages/partitions.ts";

/** One run holds it at a time. */
export const migrateLock = "prosaas:migrate";

export type MigrateOptions = {
  /** DATABASE_URL. */
  url: string;
  adminKey: string;
  /** Months of partitions after this one. */
  partitionsAhead: number;
  now?: Date;
  /** Called once if another run is under way. */
  onWaiting?: () => void;
};

/** What a run changed; nothing, if the database was up to date. */
export type Migrated = { migrations: string[]; partitions: string[]; admin_key_stored: boolean };

/** Brings the database up to date. Of several runs at once the later ones wait, and then find nothing to do. */
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
