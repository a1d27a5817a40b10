import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AppError } from "../../../lib/core/errors.ts";
import { atomically, createDatabase, forPlatform } from "../../../lib/db/index.ts";
import { sql } from "../../../lib/db/client/literal.ts";
import { startPooler } from "../../../lib/testing/pgbouncer.ts";
import type { Pooler } from "../../../lib/testing/pgbouncer.ts";
import { until } from "../../../lib/testing/until.ts";
import { postgresServer } from "./postgres.ts";
import type { PostgresServer } from "./postgres.ts";

let folder: string;
let postgres: PostgresServer;
let pooler: Pooler;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "prosaas-outage-"));
  await chmod(folder, 0o755);
  postgres = await postgresServer(folder);
  pooler = await startPooler(postgres.ownerUrl, { poolSize: 8 });
});
afterAll(async () => {
  await pooler.stop();
  await postgres.stop();
  await rm(folder, { recursive: true, force: true });
});

// An uncaught error of the driver fails a test by itself; lib/patches/postgres@….patch fixes the driver.
describe("a Postgres that crashes repeatedly", () => {
  test.each(["statements", "transactions"])("fails %s in time and recovers the pool", async (kind) => {
    const db = createDatabase({ url: pooler.url, poolSize: 4, applicationName: "test" });
    const scope = forPlatform(db);
    const work = () =>
      kind === "statements" ? scope.ask(sql`select 1`) : atomically(scope, (inner) => inner.ask(sql`select 1`));
    const tally = { done: 0, refused: 0 };
    const strange: unknown[] = [];
    let over = false;
    const lanes = Array.from({ length: 8 }, async () => {
      while (!over) {
        try {
          await work();
          tally.done += 1;
        } catch (error) {
          if (error instanceof AppError && error.code === "unavailable") tally.refused += 1;
          else strange.push(error);
          await Bun.sleep(10);
        }
      }
    });
    const more = async (name: keyof typeof tally, count: number) => {
      const wanted = tally[name] + count;
      await until(() => tally[name] >= wanted, { what: `${count} more ${name}` });
    };
    for (let crash = 0; crash < 3; crash++) {
      await more("done", 50);
      await postgres.stop();
      await more("refused", 30);
      await postgres.start();
      await more("done", 50);
    }
    over = true;
    await Promise.all(lanes);
    expect(strange).toEqual([]);
    await db.close();
  });
});
