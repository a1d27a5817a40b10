import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { uuidv7 } from "../../core/ids.ts";
import { createBusiness } from "../../testing/business.ts";
import { createMigratedDatabase } from "../../testing/database.ts";
import type { MigratedDatabase } from "../../testing/database.ts";
import { openFrontDoor } from "../../testing/front_door.ts";
import type { FrontDoor } from "../../testing/front_door.ts";
import { until } from "../../testing/until.ts";
import { createDatabase } from "../index.ts";
import type { BusinessScope, Database } from "../index.ts";
import { sql } from "./literal.ts";
import { forBusiness, forPlatform } from "../scope.ts";

let database: MigratedDatabase;
let door: FrontDoor;
let behindDoor: string;
beforeAll(async () => {
  database = await createMigratedDatabase();
  door = await openFrontDoor();
  const url = new URL(database.appUrl);
  door.lead([Number(url.port)]);
  url.port = String(door.port);
  behindDoor = url.toString();
});
afterAll(async () => {
  await door.close();
  await database.close();
});

/** A new connection takes seconds on a busy machine. */
const patience = { acquireMs: 30_000, answerMs: 30_000 };

const open = (poolSize: number): Database =>
  createDatabase({ url: behindDoor, poolSize, applicationName: "through the door", waits: patience });
const remember = (scope: BusinessScope, key: string) =>
  scope.run(
    (sql) => sql`
      insert into idempotency_keys (business_id, key, fingerprint, status, response, expires_at)
      values (${scope.businessId}, ${key}, 'f', 202, '{}', now())`,
  );

describe("a broken connection", () => {
  test("keeps late statements out of other transactions", async () => {
    const db = open(1);
    const [mine, other] = [await createBusiness(database.db), await createBusiness(database.db)];
    const begun = Promise.withResolvers<void>();
    const resume = Promise.withResolvers<void>();
    let late: unknown;
    const broken = forBusiness(db, mine.businessId).run(async (sql) => {
      await sql`select 1`;
      begun.resolve();
      await resume.promise;
      // Under the other's scope this would read the other's rows.
      late = await sql`select name from businesses`.catch((error: unknown) => error);
    });
    await begun.promise;
    door.drop();
    await expect(broken).rejects.toMatchObject({ code: "unavailable" });

    const key = uuidv7();
    await forBusiness(db, other.businessId).run(async (sql) => {
      await sql`select 1`;
      resume.resolve();
      await Bun.sleep(0);
      await sql`
      insert into idempotency_keys (business_id, key, fingerprint, status, response, expires_at)
      values (${other.businessId}, ${key}, 'f', 202, '{}', now())`;
    });
    expect(late).toBeInstanceOf(Error);
    expect(await database.owner`select business_id from idempotency_keys where key = ${key}`).toMatchObject([
      { business_id: other.businessId },
    ]);
    await db.close();
  });

  test("fails its own transaction only, at any moment", async () => {
    const poolSize = 4;
    const db = open(poolSize);
    // One business alone would not use the whole pool.
    const businesses = await Promise.all(Array.from({ length: poolSize }, () => createBusiness(database.db)));
    const scopes = businesses.map(({ businessId }) => forBusiness(db, businessId));
    const kept: string[] = [];
    const refused: unknown[] = [];
    let over = false;
    const work = Promise.all(
      Array.from({ length: 3 * poolSize }, async (_, lane) => {
        while (!over) {
          const key = uuidv7();
          await remember(scopes[lane % poolSize]!, key).then(
            () => kept.push(key),
            (error: unknown) => refused.push(error),
          );
        }
      }),
    );
    // At moments that differ: while it connects, says its first words, works, commits. Every second break waits for a
    // commit, because on a busy machine none is as fast as the breaks.
    let times = 0;
    const broken = async () => {
      const before = kept.length;
      if (++times % 2 === 0) await until(() => kept.length > before, { what: "a commit", everyMs: 1 });
      await Bun.sleep(15 + (times % 25));
      door.drop();
      return refused.length >= 50 && kept.length >= 50;
    };
    await until(broken, {
      what: "fifty transactions that broke and fifty that did not",
      everyMs: 0,
    }).finally(() => (over = true));
    await work;
    for (const error of refused) expect(error).toMatchObject({ code: "unavailable" });
    const rows = await database.owner<
      { key: string }[]
    >`select key from idempotency_keys where business_id = any(${scopes.map((scope) => scope.businessId)}::uuid[])`;
    const stored = new Set(rows.map((row) => row.key));
    expect(kept.filter((key) => !stored.has(key))).toEqual([]);

    // All of the pool at once: a connection that was lost to it would never come to the meeting.
    const together = Promise.withResolvers<void>();
    let present = 0;
    await Promise.all(
      scopes.map((scope) =>
        scope.run(async (sql) => {
          await sql`select 1`;
          if (++present === poolSize) together.resolve();
          await together.promise;
        }),
      ),
    );
    await db.close();
  });

  test.each(["end", "reset"] as const)("answers or refuses a concurrent statement (%s)", async (how) => {
    const db = open(2);
    const scope = forPlatform(db);
    const tally = { done: 0, refused: 0 };
    const waiting = new Set<number>();
    let over = false;
    const lanes = Array.from({ length: 6 }, async (_, lane) => {
      waiting.add(lane);
      while (!over) {
        // Asked again at once: between the error of a socket and its end, too.
        await scope.ask(sql`select 1`).then(
          () => (tally.done += 1),
          (error: unknown) => {
            expect(error).toMatchObject({ code: "unavailable" });
            tally.refused += 1;
          },
        );
      }
      waiting.delete(lane);
    });
    for (let break_ = 0; break_ < 20; break_++) {
      const [done, refused] = [tally.done, tally.refused];
      await until(() => tally.done >= done + 20, { what: `statements after break ${break_}` });
      door.drop(how);
      await until(() => tally.refused > refused, { what: `a statement that break ${break_} refused` });
    }
    over = true;
    await until(() => waiting.size === 0, { what: "the answer to every statement" });
    await Promise.all(lanes);
    await db.close();
  });

  test("leaves no error to the next connection", async () => {
    const db = open(1);
    const scope = forPlatform(db);
    const settled = scope.ask(sql`select pg_sleep(60)`).then(
      () => undefined,
      (error: unknown) => error,
    );
    await until(
      async () => {
        const [ended] = await database.owner<{ ended: boolean }[]>`
        select pg_terminate_backend(pid) as ended from pg_stat_activity
        where application_name = 'through the door' and query like '%pg_sleep(60)%'`;
        return ended?.ended;
      },
      { what: "the end of the statement's server process" },
    );
    expect(await settled).toMatchObject({ code: "unavailable" });
    expect(await scope.ask(sql`select 1 as one`)).toMatchObject([{ one: 1 }]);
    await db.close();
  });
});

describe("a wait for a connection", () => {
  test.each(["run", "ask"] as const)("counts the turn and the connection together (%s)", async (verb) => {
    const waits = { acquireMs: 6_000, answerMs: 2_000 };
    const db = createDatabase({ url: behindDoor, poolSize: 1, applicationName: "in turn", waits });
    const scope = forPlatform(db);
    const silent = createServer((socket) => socket.on("error", () => {}).resume());
    await new Promise<void>((resolve) => void silent.listen(0, "127.0.0.1", resolve));
    const held = Promise.withResolvers<void>();
    const holder = scope.run(async (sql) => {
      await sql`select 1`;
      held.resolve();
      await new Promise(() => {});
    });
    await held.promise;
    const from = performance.now();
    const waiting = verb === "ask" ? scope.ask(sql`select 1`) : scope.run((sql) => sql`select 1`);
    const failed = waiting.then(
      () => null,
      (error: unknown) => ({ error, afterMs: performance.now() - from }),
    );
    // The turn comes late, and then no connection opens.
    door.lead([(silent.address() as AddressInfo).port]);
    await Bun.sleep(4_500);
    door.drop();
    await expect(holder).rejects.toMatchObject({ code: "unavailable" });
    const failure = await failed;
    expect(failure?.error).toMatchObject({ code: "unavailable" });
    expect(failure?.afterMs).toBeWithin(4_500, 10_000);
    door.lead([Number(new URL(database.appUrl).port)]);
    door.drop();
    await db.close();
    await new Promise((resolve) => silent.close(resolve));
  });
});
