import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createMigratedDatabase } from "../../testing/database.ts";
import type { MigratedDatabase } from "../../testing/database.ts";
import { createTestReplica } from "../../testing/replica.ts";
import { uniqueName } from "../../testing/servers.ts";
import { until } from "../../testing/until.ts";
import { createDatabase, forNobody, forPlatform } from "../index.ts";
import type { Database } from "../index.ts";
import { sql } from "./literal.ts";
import type { Statement } from "./literal.ts";
import { connectAsOwner } from "./owner.ts";
import type { OwnerConnection } from "./owner.ts";

let database: MigratedDatabase;
beforeAll(async () => {
  database = await createMigratedDatabase();
});
afterAll(() => database.close());

/** Sends two rows at once and then waits 5 ms before each further row. */
const slowRows = sql`select i, case when i > 2 then pg_sleep(0.005) end from generate_series(1, 10000) i`;

/** Longer than a replica lags on a busy machine. */
const waits = { acquireMs: 30_000, answerMs: 150_000 };

/** Runs `work` on a pool of one connection, so that the next statement meets what the failed one left there. */
async function onOneConnection(url: string, work: (db: Database, name: string) => Promise<void>): Promise<void> {
  const name = uniqueName("failed-query");
  const db = createDatabase({ url, poolSize: 1, applicationName: name, waits });
  try {
    await work(db, name);
  } finally {
    await db.close();
  }
}

const failure = (db: Database, statement: Statement): Promise<unknown> =>
  forPlatform(db).ask(statement).then(() => undefined, (error: unknown) => error); // prettier-ignore

const sleepingBackend = async (server: OwnerConnection, name: string): Promise<boolean> => {
  const rows = await server`
    select 1 from pg_stat_activity where application_name = ${name} and state = 'active' and wait_event = 'PgSleep'`;
  return rows.length > 0;
};

/** Without a scope: the declaration of one is a statement of its own, which ends the failed result. */
async function expectCleanConnection(db: Database): Promise<void> {
  expect([...(await forNobody(db).ask(sql`select 42 as answer`))]).toEqual([{ answer: 42 }]);
  expect([...(await forNobody(db).ask(sql`select 1 as one where false`))]).toEqual([]);
}

describe("a query that fails past its first row", () => {
  test("leaves no rows after a per-row error", () =>
    onOneConnection(database.appUrl, async (db) => {
      expect(await failure(db, sql`select i, 1 / (3 - i) from generate_series(1, 5) i`)).toMatchObject({
        code: "22012",
      });
      await expectCleanConnection(db);
    }));

  test("leaves no rows for pipelined statements", () =>
    onOneConnection(database.appUrl, async (db) => {
      const failed = failure(db, sql`select i, 1 / (3 - i) from generate_series(1, 5) i`);
      const next = forNobody(db).ask(sql`select 42 as answer`);
      expect(await failed).toMatchObject({ code: "22012" });
      expect([...(await next)]).toEqual([{ answer: 42 }]);
    }));

  test("leaves no rows after a statement timeout", () =>
    onOneConnection(database.appUrl, async (db) => {
      const timedOut = sql`set local statement_timeout = '100ms'; ${slowRows}`;
      expect(await failure(db, timedOut)).toMatchObject({ code: "unavailable", cause: { code: "57014" } });
      await expectCleanConnection(db);
    }));

  test("leaves no rows after a cancel", () =>
    onOneConnection(database.appUrl, async (db, name) => {
      const cancelled = failure(db, slowRows);
      await until(() => sleepingBackend(database.owner, name), { what: "the statement to wait between two rows" });
      await database.owner`select pg_cancel_backend(pid) from pg_stat_activity where application_name = ${name}`;
      expect(await cancelled).toMatchObject({ code: "unavailable", cause: { code: "57014" } });
      await expectCleanConnection(db);
    }));

  test("leaves no rows after a recovery conflict", async () => {
    // Part of the base backup, and read for minutes.
    await database.owner`create table conflict as select i from generate_series(1, 100000) i`;
    const replica = await createTestReplica(database.ownerUrl);
    const admin = connectAsOwner({ url: replica.url, applicationName: "admin" });
    try {
      await onOneConnection(replica.url, async (db, name) => {
        const conflicting = failure(db, sql`select i, case when i > 2 then pg_sleep(0.005) end from conflict`);
        await until(() => sleepingBackend(admin, name), { what: "the read to wait between two rows" });
        await admin`alter system set max_standby_streaming_delay = 0`;
        await admin`select pg_reload_conf()`;
        await database.owner`truncate conflict`;
        expect(await conflicting).toMatchObject({ code: "unavailable", cause: { code: "40001" } });
        await expectCleanConnection(db);
      });
    } finally {
      await admin.end({ timeout: 1 });
      await replica.remove();
    }
  }, 240_000);
});
