import { afterAll, beforeAll } from "bun:test";
import { uuidv7 } from "../core/ids.ts";
import { connectAsOwner } from "../db/client/owner.ts";
import type { OwnerConnection } from "../db/client/owner.ts";
import journal from "../db/migrations/meta/_journal.json" with { type: "json" };
import { createTestDatabase } from "./servers.ts";

const folder = new URL("../db/migrations/", import.meta.url).pathname;

/** A database for the tests of a file, with a business and all migrations before `tag`. */
export function beforeMigration(tag: string) {
  let database: Awaited<ReturnType<typeof createTestDatabase>>;
  let sql: OwnerConnection;
  const business = uuidv7();
  const apply = async (name: string) => sql.unsafe(await Bun.file(`${folder}${name}.sql`).text()).simple();

  beforeAll(async () => {
    database = await createTestDatabase();
    sql = connectAsOwner({ url: database.url, applicationName: "test" });
    const tags = journal.entries.map((entry) => entry.tag);
    for (const earlier of tags.slice(0, tags.indexOf(tag))) await apply(earlier);
    await sql`insert into businesses (id, name, time_zone) values (${business}, 'x', 'UTC')`;
  });
  afterAll(async () => {
    await sql.end();
    await database.drop();
  });

  return {
    business,
    apply: () => apply(tag),
    get sql() {
      return sql;
    },
  };
}
