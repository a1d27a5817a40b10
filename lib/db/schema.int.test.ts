import { is } from "drizzle-orm";
import { getTableConfig, PgTable } from "drizzle-orm/pg-core";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createMigratedDatabase } from "../testing/database.ts";
import type { MigratedDatabase } from "../testing/database.ts";
import { sql } from "./client/literal.ts";
import { forNobody } from "./scope.ts";
import { messageStatuses } from "./schema.ts";
import * as schema from "./schema.ts";

let database: MigratedDatabase;
beforeAll(async () => {
  database = await createMigratedDatabase();
});
afterAll(() => database.close());

const tables = Object.values<unknown>(schema).filter((value): value is PgTable => is(value, PgTable));

type Column = { table: string; column: string; type: string; nullable: boolean; primary: boolean };
const byName = (a: Column, b: Column) => `${a.table}.${a.column}`.localeCompare(`${b.table}.${b.column}`);

function declared(): Column[] {
  return tables
    .flatMap((table) => {
      const { name, columns, primaryKeys } = getTableConfig(table);
      const key = new Set(primaryKeys.flatMap((primary) => primary.columns.map((column) => column.name)));
      return columns.map((column) => ({
        table: name,
        column: column.name,
        type: column.getSQLType().replace("timestamp (", "timestamp("),
        nullable: !column.notNull,
        primary: column.primary || key.has(column.name),
      }));
    })
    .toSorted(byName);
}

async function migrated(): Promise<Column[]> {
  const rows = await database.owner<Column[]>`
    select c.relname as table, a.attname as column, format_type(a.atttypid, a.atttypmod) as type,
           not a.attnotnull as nullable,
           exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary
             and a.attnum = any (i.indkey)) as primary
    from pg_class c join pg_attribute a on a.attrelid = c.oid
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
      and a.attnum > 0 and not a.attisdropped`;
  return [...rows].toSorted(byName);
}

describe("the schema", () => {
  test("equals the migrated database", async () => {
    const inDatabase = await migrated();
    expect(inDatabase.length).toBeGreaterThan(40);
    expect(inDatabase).toEqual(declared());
  });

  test("ranks statuses alike in SQL and TypeScript", async () => {
    const rows = await database.owner<{ status: string }[]>`
    select status from unnest(${database.owner.array(messageStatuses.toReversed())}::text[]) as status
      order by message_status_rank(status)`;
    expect(rows.map((row) => row.status)).toEqual([...messageStatuses]);
  });

  test("protects every tenant table by row-level security", async () => {
    const rows = await database.owner<{ name: string; secured: boolean; owner: string }[]>`
    select relname as name, relrowsecurity as secured, pg_get_userbyid(relowner) as owner from pg_class
    where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition`;
    expect(rows.filter((row) => !row.secured).map((row) => row.name)).toEqual([]);
    expect(rows.filter((row) => row.owner === "prosaas_app").map((row) => row.name)).toEqual([]);
  });

  test("protects partitions by the policy of their parent", async () => {
    const [row] = await database.owner<[{ allowed: boolean }]>`
    select bool_or(has_table_privilege('prosaas_app', inhrelid, 'select, insert, update, delete')) as allowed
    from pg_inherits where inhparent = 'messages'::regclass`;
    expect(row.allowed).toBe(false);
  });

  test("turns JIT off for services", async () => {
    expect(await forNobody(database.db).ask(sql`show jit`)).toMatchObject([{ jit: "off" }]);
  });
});
