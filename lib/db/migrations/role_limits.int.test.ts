import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import postgres from "postgres";
import { createTestDatabase, uniqueName } from "../../testing/servers.ts";
import { applyMigrations } from "./migrate.ts";
import { connectAsOwner } from "../client/owner.ts";
import { roleLimits } from "./role_limits.ts";

type Settings = Record<keyof typeof roleLimits, string>;

/** What a login of a role finds in a database, without any startup parameter. */
async function settingsOf(databaseUrl: string, user: string, password: string): Promise<Settings> {
  const url = new URL(databaseUrl);
  url.username = user;
  url.password = password;
  const sql = postgres(url.toString(), { max: 1, fetch_types: false, onnotice: () => {} });
  try {
    const rows = await sql<{ name: keyof Settings; setting: string }[]>`
      select name, current_setting(name) as setting from pg_settings where name in ${sql(Object.keys(roleLimits))}`;
    return Object.fromEntries(rows.map(({ name, setting }) => [name, setting])) as Settings;
  } finally {
    await sql.end();
  }
}

describe.each([
  { owner: "a superuser", superuser: true },
  { owner: "an owner without rights over roles, as in a stack", superuser: false },
])("limits of the app role in a database migrated by $owner", ({ superuser }) => {
  const password = "secret";
  const owner = uniqueName("owner").replaceAll("-", "_");
  let created: Awaited<ReturnType<typeof createTestDatabase>>;
  beforeAll(async () => {
    created = await createTestDatabase();
    const admin = connectAsOwner({ url: created.url, applicationName: "admin" });
    // As nomad/tasks/postgres-init.sh makes them.
    await admin.unsafe(`
      do $$ begin create role prosaas_app login; exception when duplicate_object or unique_violation
        then null; end $$`);
    await admin.unsafe(`alter role prosaas_app login password '${password}'`);
    await admin.unsafe(`create role ${owner} login ${superuser ? "superuser" : ""} password '${password}'`);
    await admin.unsafe(`alter database ${created.name} owner to ${owner}`);
    await admin.unsafe(`alter schema public owner to ${owner}`);
    await admin.end();
    const url = new URL(created.url);
    url.username = owner;
    url.password = password;
    const sql = connectAsOwner({ url: url.toString(), applicationName: "migrate" });
    await applyMigrations(sql);
    // As every further deploy does.
    expect(await applyMigrations(sql)).toEqual([]);
    await sql.end();
  });
  afterAll(async () => {
    const server = new URL(created.url);
    server.pathname = "/postgres";
    await created.drop();
    const admin = connectAsOwner({ url: server.toString(), applicationName: "admin" });
    await admin.unsafe(`drop role ${owner}`);
    await admin.end();
  });

  test("hold for each login of it", async () => {
    expect(await settingsOf(created.url, "prosaas_app", password)).toEqual(roleLimits);
  });

  test("do not hold for the owner", async () => {
    expect(await settingsOf(created.url, owner, password)).toMatchObject({
      statement_timeout: "0",
      idle_in_transaction_session_timeout: "0",
    });
  });
});
