import { afterAll, afterEach, beforeAll, describe, expect, setSystemTime, test } from "bun:test";
import { uuidv7, uuidv7Time } from "../../core/ids.ts";
import { setSharedTime, sharedNow } from "../../core/time.ts";
import { createMigratedDatabase } from "../../testing/database.ts";
import type { MigratedDatabase } from "../../testing/database.ts";
import { until } from "../../testing/until.ts";
import { clockDetail, followDatabaseClock } from "./clock.ts";
import { createDatabase } from "../index.ts";

let database: MigratedDatabase;
beforeAll(async () => {
  database = await createMigratedDatabase();
});
afterAll(() => database.close());
afterEach(() => {
  setSystemTime();
  setSharedTime(undefined);
});

const databaseNow = async () => {
  const [row] = await database.owner<
    [{ at: number }]
  >`select (extract(epoch from clock_timestamp()) * 1000)::float8 as at`;
  return row.at;
};
const tenMinutes = 600_000;
/** Far less than the skew, and more than a query waits on a busy machine. */
const near = (a: number, b: number) => Math.abs(a - b) < 30_000;

describe("a process whose clock is wrong", () => {
  test.each([tenMinutes, -tenMinutes])("makes ids of the database's time (%d ms)", async (offset) => {
    setSystemTime(new Date(Date.now() + offset));
    // Before the clock is known: ids of the wrong time.
    uuidv7();
    const clock = followDatabaseClock({ db: database.db, everyMs: 50 });
    await clock.ready;
    expect(near(sharedNow(), await databaseNow())).toBeTrue();
    expect(near(uuidv7Time(uuidv7()), await databaseNow())).toBeTrue();
    await clock.close();
  });

  test("measures the skew and reports it once", async () => {
    const reports: boolean[] = [];
    const clock = followDatabaseClock({
      db: database.db,
      everyMs: 20,
      warnMs: 60_000,
      onSkew: ({ exceeded }) => reports.push(exceeded),
    });
    await clock.ready;
    expect(near(clock.skewMs()!, 0)).toBeTrue();
    setSystemTime(new Date(Date.now() + tenMinutes));
    await until(() => reports.length === 1, { what: "the report of a skew" });
    expect(near(clock.skewMs()!, tenMinutes)).toBeTrue();
    setSystemTime();
    await until(() => reports.length === 2, { what: "the report of its end" });
    expect(reports).toEqual([true, false]);
    await clock.close();
  });

  test("keeps the database's time while the database is unavailable", async () => {
    const clock = followDatabaseClock({ db: database.db });
    await clock.ready;
    await clock.close();
    setSystemTime(new Date(Date.now() - tenMinutes));
    expect(near(sharedNow(), await databaseNow())).toBeTrue();
  });
});

test("a start waits for no database that is unavailable", async () => {
  const away = createDatabase({ url: "postgres://x@127.0.0.1:1/x", poolSize: 1, applicationName: "test" });
  const clock = followDatabaseClock({ db: away });
  await clock.ready;
  expect([clock.skewMs(), clockDetail(clock.skewMs())]).toEqual([null, "not measured yet"]);
  await clock.close();
  await away.close();
});
