import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { uuidv7 } from "../../core/ids.ts";
import { createBusiness } from "../../testing/business.ts";
import { createMigratedDatabase } from "../../testing/database.ts";
import type { MigratedDatabase } from "../../testing/database.ts";
import { openFrontDoor } from "../../testing/front_door.ts";
import { startPooler } from "../../testing/pgbouncer.ts";
import type { Pooler } from "../../testing/pgbouncer.ts";
import { until } from "../../testing/until.ts";
import { createDatabase, forBusiness, getBusiness, listMessages, requestWaits, sql, submitMessage } from "../index.ts";
import type { Database } from "../index.ts";

/** A statement takes seconds on a busy machine. */
const patience = { acquireMs: 30_000, answerMs: 30_000 };

let database: MigratedDatabase;
let pooler: Pooler;
let pooled: Database;
let businesses: string[];
beforeAll(async () => {
  database = await createMigratedDatabase();
  pooler = await startPooler(database.ownerUrl, { poolSize: 2 });
  // Many more clients than server connections: each transaction may get another one.
  pooled = createDatabase({ url: pooler.url, poolSize: 12, applicationName: "pooled", waits: patience });
  businesses = [];
  for (let n = 0; n < 3; n++) businesses.push((await createBusiness(database.db)).businessId);
});
afterAll(async () => {
  await pooled.close();
  await pooler.stop();
  await database.close();
});

test("isolates tenants that share server connections", async () => {
  const work = Array.from({ length: 60 }, async (_, n) => {
    const scope = forBusiness(pooled, businesses[n % 3]!);
    const id = uuidv7();
    await submitMessage(scope, { id, chat: "1@g.us", type: "text", text: "x", wa_message_id: id });
    const rows = await scope.run((sql) => sql<{ business_id: string }[]>`select business_id from messages`);
    return rows.every((row) => row.business_id === scope.businessId) && rows.length > 0;
  });
  expect(await Promise.all(work)).toEqual(Array.from({ length: 60 }, () => true));
  for (const id of businesses) expect(await listMessages(forBusiness(pooled, id), { limit: 50 })).toHaveLength(20);
  const [{ connections }] = await database.owner<[{ connections: number }]>`
    select count(*)::integer as connections from pg_stat_activity
    where datname = current_database() and application_name = 'pooled'`;
  expect([1, 2]).toContain(connections);
});

// A pooler hands a server connection on as soon as it has answered. Pipelined statements of a client that is gone would
// still run there, and their answers reach the next client.
test("keeps the answers of a lost client from others", async () => {
  const narrow = await startPooler(database.ownerUrl, { poolSize: 1 });
  const door = await openFrontDoor();
  const url = new URL(narrow.url);
  door.lead([Number(url.port)]);
  url.port = String(door.port);
  const lost = createDatabase({ url: url.toString(), poolSize: 1, applicationName: "lost", waits: patience });
  const next = createDatabase({ url: narrow.url, poolSize: 1, applicationName: "next", waits: patience });
  const [theirs, ours] = [forBusiness(lost, businesses[0]!), forBusiness(next, businesses[1]!)];
  await theirs.ask(sql`select 1`);
  const first = theirs.ask(sql`select 2`);
  const second = theirs.ask(sql`select id, pg_sleep(0.5) from businesses`).catch(() => []);
  await first;
  door.drop();
  expect([...(await ours.ask(sql`select id from businesses`))]).toEqual([{ id: businesses[1] }]);
  await second;
  await Promise.all([lost.close(), next.close(), narrow.stop(), door.close()]);
});

test("recovers after a restart of the pooler", async () => {
  const scope = forBusiness(pooled, businesses[0]!);
  await getBusiness(scope);
  await pooler.restart();
  await until(
    async () => {
      const attempts = await Promise.allSettled(Array.from({ length: 12 }, () => getBusiness(scope)));
      for (const attempt of attempts)
        if (attempt.status === "rejected") expect(attempt.reason).toMatchObject({ code: "unavailable" });
      return attempts.every((attempt) => attempt.status === "fulfilled");
    },
    { deadlineMs: 20_000, what: "every connection of the pool" },
  );
});

test("refuses in time while the pooler is silent", async () => {
  const db = createDatabase({
    url: pooler.url,
    poolSize: 2,
    applicationName: "impatient",
    waits: { acquireMs: 2_000, answerMs: 2_000 },
  });
  const scope = forBusiness(db, businesses[0]!);
  const ask = () => Promise.allSettled(Array.from({ length: 8 }, () => getBusiness(scope)));
  const refused = Array.from({ length: 8 }, () => ({
    status: "rejected",
    reason: expect.objectContaining({ code: "unavailable" }),
  }));
  const areAnswered = async () => (await ask()).every(({ status }) => status === "fulfilled");
  await until(areAnswered, { what: "the connections of the pool" });
  const transaction = scope.run(async (sql) => {
    await sql`select 1`;
    pooler.freeze();
    await sql`select 2`;
  });
  try {
    await expect(transaction).rejects.toMatchObject({ code: "unavailable" });
    // On the connection that is left; then there is none, and new ones are not answered either.
    expect(await ask()).toMatchObject(refused);
    expect(await ask()).toMatchObject(refused);
  } finally {
    pooler.thaw();
  }
  await until(areAnswered, { what: "the pooler's answers" });
  await db.close();
});

describe("the waits of a request", () => {
  /** Clocks of timers on a busy machine. */
  const marginMs = 2_500;

  test("add up to eight seconds at most", () => {
    expect(requestWaits.acquireMs + requestWaits.answerMs).toBeLessThanOrEqual(8_000);
  });

  test("end in the queue of a busy pool", async () => {
    const waits = { acquireMs: 3_000, answerMs: 6_000 };
    const db = createDatabase({ url: pooler.url, poolSize: 1, applicationName: "queue", waits });
    const scope = forBusiness(db, businesses[0]!);
    const release = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const holder = scope.run(async (sql) => {
      await sql`select 1`;
      begun.resolve();
      await release.promise;
    });
    await begun.promise;
    const start = performance.now();
    let ran = false;
    const refused = await Promise.allSettled([
      getBusiness(scope),
      scope.run(async () => {
        ran = true;
      }),
    ]);
    expect(refused.map((one) => one.status === "rejected" && one.reason.code)).toEqual(["unavailable", "unavailable"]);
    expect(performance.now() - start).toBeLessThan(waits.acquireMs + marginMs);
    release.resolve();
    await holder;
    expect(await getBusiness(scope)).toBeDefined();
    expect(ran).toBeFalse();
    await db.close();
  });

  test("end while a connection is being opened", async () => {
    const db = createDatabase({
      url: pooler.url,
      poolSize: 1,
      applicationName: "open",
      waits: { acquireMs: 1_000, answerMs: 1_000 },
    });
    const scope = forBusiness(db, businesses[0]!);
    pooler.freeze();
    try {
      await expect(getBusiness(scope)).rejects.toMatchObject({ code: "unavailable" });
    } finally {
      pooler.thaw();
    }
    expect(await until(() => getBusiness(scope).catch(() => undefined), { what: "an answer" })).toBeDefined();
    await db.close();
  });

  test("end behind a server that answers others", async () => {
    // In all less than the role's limit for a statement.
    const waits = { acquireMs: 500, answerMs: 1_000 };
    const db = createDatabase({ url: database.appUrl, poolSize: 1, applicationName: "trickle", waits });
    const scope = forBusiness(db, businesses[0]!);
    const start = performance.now();
    const trickle = sql`select i, repeat('x', 9000), pg_sleep(0.1) from generate_series(1, 200) i`;
    await expect(scope.ask(trickle)).rejects.toMatchObject({ code: "unavailable" });
    expect(performance.now() - start).toBeLessThan(waits.acquireMs + waits.answerMs + marginMs);
    await db.close();
  });
});
