import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import postgres from "postgres";
import journal from "../../lib/db/migrations/meta/_journal.json" with { type: "json" };
import { connectAsOwner, withAdvisoryLock } from "../../lib/db/client/owner.ts";
import { generateKey } from "../../lib/db/keys/api_key.ts";
import { createTestDatabase } from "../../lib/testing/servers.ts";
import { until } from "../../lib/testing/until.ts";
import { programCommand, programEnv } from "../../lib/testing/program.ts";
import { migrate, migrateLock } from "./migrate.ts";

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let sql: postgres.Sql;
beforeEach(async () => {
  database = await createTestDatabase();
  sql = postgres(database.url, { max: 2, onnotice: () => {} });
});
afterEach(async () => {
  await sql.end();
  await database.drop();
});

const tags = journal.entries.map((entry) => entry.tag);
const adminKey = generateKey().key;
const run = (options: Partial<Parameters<typeof migrate>[0]> = {}) =>
  migrate({ url: database.url, adminKey, partitionsAhead: 1, now: new Date("2026-11-15T00:00:00Z"), ...options });
const partitions = async () =>
  (
    await sql<
      { name: string }[]
    >`select inhrelid::regclass::text as name from pg_inherits where inhparent = 'messages'::regclass order by 1`
  ).map((row) => row.name);

describe("a run", () => {
  test("shares the work with concurrent runs", async () => {
    let waited = 0;
    const gate = connectAsOwner({ url: database.url, applicationName: "gate" });
    const begun = await withAdvisoryLock(gate, migrateLock, async () => {
      const all = Array.from({ length: 4 }, () => run({ onWaiting: () => (waited += 1) }));
      await until(() => waited === 4, { what: "every run to wait" });
      return { all };
    });
    const runs = await Promise.all(begun.all);
    await gate.end();
    expect(runs.flatMap((done) => done.migrations)).toEqual(tags);
    expect(runs.flatMap((done) => done.partitions)).toEqual(["messages_2026_11", "messages_2026_12"]);
    expect(runs.filter((done) => done.admin_key_stored)).toHaveLength(1);
    expect(await partitions()).toEqual(["messages_2026_11", "messages_2026_12", "messages_default"]);
  });

  test("adds only missing partitions to a migrated database", async () => {
    await run();
    expect(await run()).toEqual({ migrations: [], partitions: [], admin_key_stored: false });
    expect((await run({ now: new Date("2026-12-01T00:00:00Z") })).partitions).toEqual(["messages_2027_01"]);
  });

  test("stores a new admin key beside the old one", async () => {
    await run();
    expect((await run({ adminKey: generateKey().key })).admin_key_stored).toBeTrue();
    await expect(run({ adminKey: `${adminKey.slice(0, 13)}${"a".repeat(43)}` })).rejects.toThrow(
      "make a new admin key",
    );
    const rows = await sql`select * from api_keys`;
    expect(rows).toHaveLength(2);
    expect(JSON.stringify(rows)).not.toContain(adminKey);
  });

  test("transfers rows into a partition that it adds", async () => {
    await run();
    const id = "019c1e00-0000-7000-8000-000000000001";
    const business = "019c1e00-0000-7000-8000-00000000000b";
    await sql`insert into businesses (id, name, time_zone) values (${business}, 'x', 'UTC')`;
    await sql`
    insert into messages (id, business_id, direction, chat, type, text, wa_message_id, status)
    values (${id}, ${business}, 'inbound', 'c', 'text', 'hello', 'w', 'delivered')`;
    const where = async () =>
      (await sql`select tableoid::regclass::text as partition, text from messages where id = ${id}`)[0];
    expect(await where()).toEqual({ partition: "messages_default", text: "hello" });
    await run({ now: new Date("2026-02-02T00:00:00Z"), partitionsAhead: 0 });
    expect(await where()).toEqual({ partition: "messages_2026_02", text: "hello" });
  });

  test("retries a step that meets a lock", async () => {
    await run();
    const held = Promise.withResolvers<void>();
    const locked = Promise.withResolvers<void>();
    const holder = sql.begin(async (tx) => {
      await tx`lock table messages in access exclusive mode`;
      locked.resolve();
      await held.promise;
    });
    await locked.promise;
    const running = run({ now: new Date("2027-03-01T00:00:00Z"), partitionsAhead: 0 });
    const waits = async () =>
      (
        await sql`
        select from pg_locks join pg_database d on d.oid = database
        where not granted and datname = current_database()`
      ).length > 0;
    await until(waits, { what: "the first attempt to wait" });
    await until(async () => !(await waits()), { what: "the first attempt to give up" });
    held.resolve();
    await holder;
    expect((await running).partitions).toEqual(["messages_2027_03"]);
  });

  test("restores every function to its file", async () => {
    await run();
    const source = async () =>
      (await sql<{ prosrc: string }[]>`select prosrc from pg_proc where proname = 'message_status_rank'`)[0]!.prosrc;
    const shipped = await source();
    await sql`
      create or replace function message_status_rank(status text) returns integer
      language sql immutable strict parallel safe as $$ select 0 $$`;
    expect(await source()).not.toBe(shipped);
    await run();
    expect(await source()).toBe(shipped);
  });

  test("throws if an applied migration was edited", async () => {
    await run();
    await sql`update drizzle.migrations set hash = 'another' where id = 1`;
    await expect(run()).rejects.toThrow(`${tags[0]} was edited after it was applied`);
  });
});

test("reports faults by its exit code", async () => {
  const start = (env: Record<string, string>) =>
    Bun.spawnSync(programCommand("services/migrate/main.ts"), {
      env: { ...programEnv(), ...env },
    });
  const misconfigured = start({ DATABASE_URL: "mysql://x", ADMIN_KEY: "short" });
  expect(misconfigured.exitCode).toBe(2);
  for (const name of ["DATABASE_URL", "ADMIN_KEY"]) expect(misconfigured.stderr.toString()).toContain(name);
  const unreachable = start({ DATABASE_URL: "postgres://x@127.0.0.1:1/x", ADMIN_KEY: adminKey });
  expect(unreachable.exitCode).toBe(1);
  expect(unreachable.stdout.toString()).not.toContain(adminKey);
  const done = start({ DATABASE_URL: database.url, ADMIN_KEY: adminKey });
  expect(done.exitCode).toBe(0);
  expect(JSON.parse(done.stdout.toString())).toMatchObject({ migrations: tags, admin_key_stored: true });
});
