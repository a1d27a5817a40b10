import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createTestDatabase } from "../../testing/servers.ts";
import { connectAsOwner } from "../client/owner.ts";
import type { OwnerConnection } from "../client/owner.ts";
import { contractions, readCatalog } from "../testing/catalog.ts";
import journal from "./meta/_journal.json" with { type: "json" };

/*
 * A deploy migrates the schema while the release before still runs, and a rollback leaves the schema. A migration may
 * therefore add, and take away only what no release since the one before names. `task test:previous` runs the tests of
 * the code before on the schema of today; this checks each migration by the catalog.
 */

/** Parts that a migration may take away, because no code of the release before names them. */
const unused: Readonly<Record<string, readonly string[]>> = {};

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let sql: OwnerConnection;
beforeAll(async () => {
  database = await createTestDatabase();
  sql = connectAsOwner({ url: database.url, applicationName: "test" });
});
afterAll(async () => {
  await sql.end();
  await database.drop();
});

const apply = async (tag: string) => sql.unsafe(await Bun.file(`${import.meta.dir}/${tag}.sql`).text()).simple();

describe("migrations", () => {
  test("take away nothing that the release before names", async () => {
    const found: Record<string, string[]> = {};
    let before = await readCatalog(sql);
    for (const { tag } of journal.entries) {
      await apply(tag);
      const after = await readCatalog(sql);
      const taken = contractions(before, after).filter((one) => !unused[tag]?.includes(one));
      if (taken.length > 0) found[tag] = taken;
      before = after;
    }
    expect(before.columns.size).toBeGreaterThan(100);
    expect(found).toEqual({});
  });

  test.each([
    ["alter table businesses drop column time_zone", "businesses.time_zone is gone"],
    ["alter table businesses rename column name to title", "businesses.name is gone"],
    [
      "alter table businesses alter column name type varchar(9)",
      "businesses.name is character varying(9), and was text",
    ],
    ["alter table businesses alter column whatsapp_shard set not null", "businesses.whatsapp_shard refuses null"],
    [
      "alter table businesses add column colour text not null",
      "businesses.colour is new and has neither a default nor null",
    ],
    ["drop function message_status_rank(text)", "message_status_rank(status text) is gone"],
  ])("are found at fault: %s", async (statement, fault) => {
    const before = await readCatalog(sql);
    const changed = sql.begin(async (tx) => {
      await tx.unsafe(statement);
      expect(contractions(before, await readCatalog(tx as unknown as OwnerConnection))).toContain(fault);
      throw new Error("undo");
    });
    await expect(changed).rejects.toThrow("undo");
  });

  test("may add tables, columns and functions", async () => {
    const before = await readCatalog(sql);
    const changed = sql.begin(async (tx) => {
      await tx.unsafe("create table colours (id int primary key, name text not null)");
      await tx.unsafe("alter table businesses add column colour text, add column size int not null default 1");
      expect(contractions(before, await readCatalog(tx as unknown as OwnerConnection))).toEqual([]);
      throw new Error("undo");
    });
    await expect(changed).rejects.toThrow("undo");
  });
});
