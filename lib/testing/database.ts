import { createDatabase } from "../db/client/client.ts";
import type { Database, Waits } from "../db/client/client.ts";
import { connectAsOwner, withAdvisoryLock } from "../db/client/owner.ts";
import type { OwnerConnection } from "../db/client/owner.ts";
import { ensureMessagePartitions } from "../db/messages/partitions.ts";
import { applyMigrations } from "../db/migrations/migrate.ts";
import { createTestDatabase, testServerUrl } from "./servers.ts";

export type MigratedDatabase = {
  /** A client with the services' role, which owns no tables and is subject to row-level security. */
  db: Database;
  /** A connection as the owner, who sees every row. */
  owner: OwnerConnection;
  /** DATABASE_URL and DATABASE_URL_POOLER of this database. */
  ownerUrl: string;
  appUrl: string;
  close(): Promise<void>;
};

/** Tests wait longer than requests do: on a busy machine a statement takes seconds. */
const patience = { acquireMs: 30_000, answerMs: 30_000 };

const templateName = "migrated_template";

/** Migrates the template once per test server; test processes that run side by side wait for the first. */
async function ensureTemplate(): Promise<void> {
  const server = connectAsOwner({ url: testServerUrl(), applicationName: "test-template" });
  try {
    await withAdvisoryLock(server, "prosaas:test-template", async () => {
      const [template] = await server`select datistemplate from pg_database where datname = ${templateName}`;
      if (template?.["datistemplate"] === true) return;
      await server`drop database if exists ${server(templateName)}`;
      const { url } = await createTestDatabase({ name: templateName });
      const owner = connectAsOwner({ url, applicationName: "test-template" });
      try {
        await applyMigrations(owner);
        await ensureMessagePartitions(owner, { ahead: 0 });
      } finally {
        await owner.end();
      }
      // Last, so that a run that was killed halfway leaves no template that others would use.
      await server`update pg_database set datistemplate = true where datname = ${templateName}`;
    });
  } finally {
    await server.end();
  }
}

let template: Promise<void> | undefined;

/** Creates a database with the current schema: a copy of the template, which takes less time than the migrations. */
export async function createMigratedDatabase({
  poolSize = 4,
  waits = {},
}: { poolSize?: number; waits?: Partial<Waits> } = {}): Promise<MigratedDatabase> {
  await (template ??= ensureTemplate());
  const created = await createTestDatabase({ template: templateName });
  const owner = connectAsOwner({ url: created.url, applicationName: "test" });
  // Settings of a database, and of a role in it, are not part of the copy.
  await owner`
    insert into pg_db_role_setting (setdatabase, setrole, setconfig)
    select copy.oid, setrole, setconfig
    from pg_db_role_setting
    join pg_database template on template.oid = setdatabase and template.datname = ${templateName}
    join pg_database copy on copy.datname = ${created.name}`;
  const appUrl = new URL(created.url);
  appUrl.searchParams.set("role", "prosaas_app");
  const db = createDatabase({
    url: appUrl.toString(),
    poolSize,
    applicationName: "test",
    waits: { ...patience, ...waits },
  });
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
