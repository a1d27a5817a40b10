import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { uuidv7 } from "../core/ids.ts";
import { createMigratedDatabase } from "../testing/database.ts";
import type { MigratedDatabase } from "../testing/database.ts";
import { createBusiness } from "../testing/business.ts";
import { until } from "../testing/until.ts";
import {
  atomically,
  createDatabase,
  forBusiness,
  forNobody,
  forPlatform,
  getBusiness,
  getMessage,
  insertKey,
  listKeys,
  submitMessage,
} from "./index.ts";
import type { BusinessScope, Database } from "./index.ts";
import { poolOf } from "./client/client.ts";
import { sql } from "./client/literal.ts";

let database: MigratedDatabase;
let mine: BusinessScope;
let other: BusinessScope;
beforeAll(async () => {
  database = await createMigratedDatabase();
  mine = await createBusiness(database.db);
  other = await createBusiness(database.db);
});
afterAll(() => database.close());

const send = async (scope: BusinessScope) => {
  const id = uuidv7();
  await submitMessage(scope, { id, chat: "1@s.whatsapp.net", type: "text", text: "hello", wa_message_id: id });
  return id;
};
const tables = ["businesses", "api_keys", "whatsapp_sessions", "messages", "idempotency_keys"];

describe("scopes", () => {
  test("separate businesses", async () => {
    const id = await send(other);
    expect(await getMessage(other, id)).toMatchObject({ id, status: "queued" });
    expect(await getMessage(mine, id)).toBeUndefined();
  });

  test("hide other businesses from an unfiltered query", async () => {
    await send(other);
    for (const table of tables) {
      const rows = await mine.run((sql) => sql<Record<string, string>[]>`select * from ${sql(table)}`);
      const owners = new Set(rows.map((row) => (table === "businesses" ? row["id"] : row["business_id"])));
      expect([...owners].filter((owner) => owner !== mine.businessId)).toEqual([]);
    }
  });

  test("protect other businesses from an unfiltered update", async () => {
    const id = await send(other);
    const changed = await mine.run((sql) => sql`update messages set text = 'changed' where id = ${id}`);
    expect(changed.count).toBe(0);
    const taken = await mine.run((sql) => sql`update whatsapp_sessions set phone = '0'`);
    expect(taken.count).toBe(1);
  });

  test("refuse rows of another business", async () => {
    const write = mine.run(
      (sql) => sql`insert into idempotency_keys (business_id, key, fingerprint, status, response, expires_at)
      values (${other.businessId}, 'k', 'f', 202, '{}', now())`,
    );
    await expect(write).rejects.toThrow("row-level security");
  });

  test("show nothing without a declaration", async () => {
    for (const table of tables) {
      const [row] = await poolOf(database.db)`select count(*)::integer as count from ${poolOf(database.db)(table)}`;
      expect(row).toEqual({ count: 0 });
    }
  });

  test("end with their transaction", async () => {
    await expect(mine.run((sql) => sql`select 1 / 0`)).rejects.toThrow("division by zero");
    const [row] = await poolOf(database.db)`select count(*)::integer as count from businesses`;
    expect(row).toEqual({ count: 0 });
  });

  test("of the platform show every business", async () => {
    const rows = await forPlatform(database.db).run((sql) => sql`select id from businesses`);
    expect(rows.length).toBeGreaterThanOrEqual(2);
  });

  test("keep the planner's estimates and index use", async () => {
    await database.owner`
    insert into businesses (id, name, time_zone) select gen_random_uuid(), 'Many', 'UTC' from generate_series(1, 50)`;
    await database.owner`
    insert into messages (id, business_id, direction, chat, type, wa_message_id, status)
    select gen_random_uuid(), b.id, 'inbound', 'c', 'text', n, 'read'
    from businesses b, generate_series(1, 100) n where b.name = 'Many' or b.id = ${mine.businessId}`;
    await database.owner`analyze messages`;
    const [row] = await mine.run(
      (sql) => sql<[{ "QUERY PLAN": [{ Plan: { "Plan Rows": number } }] }]>`
      explain (format json) select * from messages where business_id = ${mine.businessId}`,
    );
    // About a hundred there are; an OR of two unknowns made it two, and the planner sorted all of them for the first
    // page.
    expect(row["QUERY PLAN"][0].Plan["Plan Rows"]).toBeGreaterThan(30);
  });

  test("commit atomically or roll back", async () => {
    const key = (prefix: string) => ({ id: uuidv7(), prefix, hash: "0".repeat(64), scopes: ["messages:read"] });
    const failing = atomically(mine, async (scope) => {
      await insertKey(scope, key("atomic11"));
      throw new Error("second thoughts");
    });
    await expect(failing).rejects.toThrow("second thoughts");
    expect(await listKeys(mine, { limit: 10 })).toEqual([]);
    await atomically(mine, async (scope) => {
      await insertKey(scope, key("atomic12"));
      await insertKey(scope, key("atomic13"));
    });
    expect(await listKeys(mine, { limit: 10 })).toHaveLength(2);
  });

  test("demand a UUID", () => {
    expect(() => forBusiness(database.db, "'; drop table messages; --")).toThrow(TypeError);
  });

  test("report an unreachable database as unavailable", async () => {
    const { createDatabase } = await import("./client/client.ts");
    const away = createDatabase({ url: "postgres://nobody@127.0.0.1:1/none", poolSize: 1, applicationName: "test" });
    await expect(getBusiness(forBusiness(away, uuidv7()))).rejects.toMatchObject({
      code: "unavailable",
      retryAfterS: 1,
    });
    await away.close();
  });

  test("reconnect after the server ended connections", async () => {
    await getBusiness(mine);
    const ended = await database.owner<{ pid: number }[]>`
      select pid, pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()
        and pid <> pg_backend_pid()`;
    const left = () =>
      database.owner`select from pg_stat_activity where pid in ${database.owner(ended.map(({ pid }) => pid))}`;
    await until(async () => (await left()).length === 0, { what: "the server processes to end" });
    // The statements that meet a dead connection may fail, as "unavailable"; then the pool has new ones.
    const failures: unknown[] = [];
    const attempt = () => getBusiness(mine).catch((error: unknown) => void failures.push(error));
    const isBack = async () => (await Promise.all(Array.from({ length: 8 }, attempt))).every(Boolean);
    await until(isBack, { what: "new connections", deadlineMs: 20_000 });
    for (const failure of failures) expect(failure).toMatchObject({ code: "unavailable" });
    expect(failures.length).toBeLessThanOrEqual(8);
    expect(await getBusiness(mine)).toMatchObject({ id: mine.businessId });
  });
});

describe("a business's share of the connections", () => {
  /** A new connection takes seconds on a busy machine. */
  const waits = { acquireMs: 30_000, answerMs: 30_000 };

  test("leaves connections to others while its statements hang", async () => {
    const db = createDatabase({ url: database.appUrl, poolSize: 4, applicationName: "shares", waits });
    try {
      const floods = await Promise.all([1, 2].map(() => createBusiness(database.db)));
      const patient = await createBusiness(database.db);
      let running = 0;
      let most = 0;
      const hung = Promise.withResolvers<void>();
      const hang = async ({ businessId }: BusinessScope) =>
        forBusiness(db, businessId).run(async (inside) => {
          await inside`select 1`;
          most = Math.max(most, ++running);
          await hung.promise;
          running -= 1;
        });
      const hanging = floods.flatMap((scope) => Array.from({ length: 10 }, () => hang(scope)));
      await until(() => running === 3, { what: "statements on all but the last connection" });
      const own = forBusiness(db, patient.businessId);
      for (let n = 0; n < 10; n++) expect(await own.ask(sql`select 1 as one`)).toMatchObject([{ one: 1 }]);
      expect(most).toBe(3);
      hung.resolve();
      await Promise.allSettled(hanging);
    } finally {
      await db.close();
    }
  });
});

describe("a scope with a due time", () => {
  /** Its own waits are far longer than the times of these tests. */
  let patient: Database;
  beforeAll(() => {
    const waits = { acquireMs: 60_000, answerMs: 60_000, statementMs: 60_000 };
    patient = createDatabase({ url: database.appUrl, poolSize: 4, applicationName: "patient", waits });
  });
  afterAll(() => patient.close());
  const mostMs = 20_000;
  const ask = (dueAt: number) => forBusiness(patient, mine.businessId, dueAt).ask(sql`select pg_sleep(60)`);

  test("stops waiting for an answer", async () => {
    const from = performance.now();
    await expect(ask(from + 300)).rejects.toMatchObject({ code: "unavailable" });
    expect(performance.now() - from).toBeWithin(290, mostMs);
  });

  test("leaves the queue of a full pool unsent", async () => {
    const db = createDatabase({ url: database.appUrl, poolSize: 1, applicationName: "full" });
    try {
      const held = Promise.withResolvers<void>();
      const release = Promise.withResolvers<void>();
      // Past the shares of connections, as a driver that opens its only connection.
      const holder = poolOf(db).begin(async (tx) => {
        await tx`select 1`;
        held.resolve();
        await release.promise;
      });
      await held.promise;
      const scope = forBusiness(db, mine.businessId, performance.now() + 200);
      const note = sql`
        insert into idempotency_keys (business_id, key, fingerprint, status, response, expires_at)
        values (${mine.businessId}, 'late', 'f', 202, '{}', now())`;
      const asked = scope.ask(note);
      await expect(asked).rejects.toMatchObject({ code: "unavailable" });
      await expect(asked).rejects.not.toThrow("may have taken effect");
      release.resolve();
      await holder;
      // On the same connection, behind all that was queued.
      const rows = await forBusiness(db, mine.businessId).ask(sql`select from idempotency_keys where key = 'late'`);
      expect(rows.count).toBe(0);
    } finally {
      await db.close();
    }
  });

  test("ends a statement within a transaction", async () => {
    const from = performance.now();
    const scope = forBusiness(patient, mine.businessId, from + 300);
    await expect(scope.run((tx) => tx`select pg_sleep(60)`)).rejects.toMatchObject({ code: "unavailable" });
    expect(performance.now() - from).toBeWithin(200, mostMs);
    expect(await forBusiness(database.db, mine.businessId).run((tx) => tx`select 1 as one`)).toMatchObject([
      { one: 1 },
    ]);
  });

  test("ends the platform's statements", async () => {
    const from = performance.now();
    const due = from + 300;
    await expect(forPlatform(patient, due).ask(sql`select pg_sleep(60)`)).rejects.toMatchObject({
      code: "unavailable",
    });
    await expect(forNobody(patient, due).ask(sql`select pg_sleep(60)`)).rejects.toMatchObject({
      code: "unavailable",
    });
    expect(performance.now() - from).toBeWithin(290, mostMs);
    const isRunning = async () => {
      const found = await forNobody(database.db).ask(sql`
        select from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'`);
      return found.count > 0;
    };
    await until(async () => !(await isRunning()), { deadlineMs: mostMs, what: "the server to end them" });
  });

  test("says that an unanswered statement may have taken effect", async () => {
    const hung = sql`set local statement_timeout = 0; select pg_sleep(5)`;
    const due = performance.now() + 2_000;
    await expect(forBusiness(patient, mine.businessId, due).ask(hung)).rejects.toThrow("may have taken effect");
  });

  test("fails after its wait for a lock", async () => {
    const locked = Promise.withResolvers<void>();
    const unlock = Promise.withResolvers<void>();
    const holder = forPlatform(database.db).run(async (tx) => {
      await tx`select pg_advisory_xact_lock(1)`;
      locked.resolve();
      await unlock.promise;
    });
    await locked.promise;
    try {
      const waiting = forNobody(database.db, undefined, 50).ask(sql`select pg_advisory_xact_lock(1)`);
      await expect(waiting).rejects.toMatchObject({ code: "unavailable", cause: { code: "55P03" } });
    } finally {
      unlock.resolve();
      await holder;
    }
  });

  test("sends nothing later", async () => {
    const scope = forBusiness(database.db, mine.businessId, performance.now() - 1);
    await expect(scope.run((tx) => tx`select 1`)).rejects.toMatchObject({ code: "unavailable" });
    await expect(scope.ask(sql`select 1`)).rejects.toThrow("The database is unavailable. Retry shortly.");
  });
});
