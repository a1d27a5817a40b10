import { createDatabase } from "../db/client/client.ts";
import type { Database } from "../db/client/client.ts";
import { applyMigrations } from "../db/migrations/migrate.ts";
import { connectAsOwner } from "../db/client/owner.ts";
import type { OwnerConnection } from "../db/client/owner.ts";
import { ensureMessagePartitions } from "../db/messages/partitions.ts";
import { createTestDatabase } from "./servers.ts";

export type MigratedDatabase = {
  /** As the services see it: the role that owns nothing, under row-level security. */
  db: Database;
  /** As the owner sees it: everything. */
  owner: OwnerConnection;
  /** DATABASE_URL and DATABASE_URL_POOLER of this database. */
  ownerUrl: string;
  appUrl: string;
  close(): Promise<void>;
};

/** A new database with the present schema. */
export async function createMigratedDatabase({ poolSize = 4 } = {}): Promise<MigratedDatabase> {
  const created = await createTestDatabase();
  const owner = connectAsOwner({ url: created.url, applicationName: "test" });
  await applyMigrations(owner);
  await ensureMessagePartitions(owner, { ahead: 0 });
  const appUrl = new URL(created.url);
  appUrl.searchParams.set("role", "prosaas_app");
  const db = createDatabase({ url: appUrl.toString(), poolSize, applicationName: "test" });
  return {
    db,
    owner,
    ownerUrl: created.url,
    appUrl: appUrl.toString(),
    close: async () => {
      await db.close();
      await owner.end();
      await created.drop();
    },
  };
}
