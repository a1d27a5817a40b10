import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { uuidv7 } from "../../core/ids.ts";
import { createMigratedDatabase } from "../../testing/database.ts";
import type { MigratedDatabase } from "../../testing/database.ts";
import { createTestReplica } from "../../testing/replica.ts";
import type { TestReplica } from "../../testing/replica.ts";
import { until } from "../../testing/until.ts";
import { createReplica, forPlatform, insertBusiness } from "../index.ts";
import type { Database, Replica } from "../index.ts";

// The replica repeats all that the other tests write to the same server.
setDefaultTimeout(300_000);

let database: MigratedDatabase;
let server: TestReplica;
let replica: Replica;
let changes: { used: boolean; why: string }[];
beforeAll(async () => {
  database = await createMigratedDatabase();
  server = await createTestReplica(database.ownerUrl);
});
afterAll(async () => {
  await server.remove();
  await database.close();
});
afterEach(() => replica.close());

/** It repeats all that the other tests write to the same server, and may be late for a while. */
const inUse = (what: string) => until(() => changes.at(-1)?.used, { what, deadlineMs: 100_000 });

const open = async () => {
  changes = [];
  const url = new URL(server.url);
  url.searchParams.set("role", "prosaas_app");
  replica = createReplica({
    primary: database.db,
    url: url.toString(),
    poolSize: 2,
    applicationName: "test",
    maxLagMs: 1_500,
    everyMs: 50,
    onChange: (change) => changes.push(change),
  });
  await inUse("the replica to be used");
};
const write = async () => {
  const id = uuidv7();
  await insertBusiness(forPlatform(database.db), { id, name: "x", time_zone: "UTC" });
  return id;
};
const longAgo = new Date(Date.now() - 3_600_000);
/** Which of the two servers answered. */
const answeredBy = async (upTo = longAgo) =>
  replica.history(upTo, async (db: Database) => (db === database.db ? "primary" : "replica"));

describe("the replica", () => {
  test("serves old rows; the primary serves recent ones", async () => {
    await open();
    // In one turn, so that the replica is used for all of them or for none.
    const answers = () => Promise.all([answeredBy(), answeredBy(new Date()), answeredBy(new Date(Date.now() - 4_000))]);
    const [old, now, recent] = await until(
      async () => ((all) => (all[0] === "replica" ? all : undefined))(await answers()),
      { what: "an answer of the replica", deadlineMs: 100_000 },
    );
    expect([old, now, recent]).toEqual(["replica", "primary", "primary"]);
  });

  test("is not late behind an idle primary", async () => {
    await open();
    await until(() => (replica.lagMs() ?? 1_000) < 1_000, { what: "a small lag", deadlineMs: 100_000 });
  });

  test("is skipped while it lags", async () => {
    await open();
    const fallsBehind = async () => {
      await server.pause();
      await write();
      await until(() => changes.at(-1)?.used === false, { what: "the lag to be noticed" });
      if (changes.at(-1)!.why.includes("behind")) return true;
      // On a busy machine the replica also answers too late.
      await server.resume();
      await inUse("the replica to be used again");
      return false;
    };
    await until(fallsBehind, { what: "the lag to be the reason", deadlineMs: 200_000 });
    expect(await answeredBy()).toBe("primary");
    await server.resume();
    await inUse("the replica to be used again");
    await until(async () => (await answeredBy()) === "replica", {
      what: "an answer of the replica",
      deadlineMs: 100_000,
    });
  });

  test("is skipped while it is down, without failed reads", async () => {
    await open();
    await server.stop();
    const rows = await replica.history(longAgo, (db) => forPlatform(db).run((sql) => sql`select 1 as one`));
    expect(rows).toMatchObject([{ one: 1 }]);
    // An answer that was in flight counts for a moment.
    await until(async () => (await answeredBy()) === "primary", { what: "an answer of the primary" });
    // A dead replica counts as one that lags (ReplicaLag in nomad/monitoring/rules.yml).
    await until(() => (replica.lagMs() ?? 0) > 1_500, { what: "the lag to grow" });
    await server.start();
    await inUse("the replica to be used again");
  });

  test("reports a statement's own errors without a fallback", async () => {
    await open();
    const asked: Database[] = [];
    const failing = replica.history(longAgo, (db) => {
      asked.push(db);
      return forPlatform(db).run((sql) => sql`select 1 / 0`);
    });
    await expect(failing).rejects.toThrow("division by zero");
    expect(asked).toHaveLength(1);
  });
});
