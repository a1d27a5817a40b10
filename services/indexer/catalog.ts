import type { OwnerConnection } from "../../lib/db/client/owner.ts";

/** An index as the database has it. "invalid": an interrupted build left it, and no query uses it. */
export type IndexState = "missing" | "invalid" | "valid";

export async function indexState(sql: OwnerConnection, name: string): Promise<IndexState> {
  const [row] = await sql<{ valid: boolean }[]>`
    select indisvalid and indisready and indislive as valid from pg_index where indexrelid = to_regclass(${name})`;
  if (!row) return "missing";
  return row.valid ? "valid" : "invalid";
}

/** The partitions of a table; undefined where it is not partitioned. */
export async function partitionsOf(sql: OwnerConnection, table: string): Promise<string[] | undefined> {
  const [kind] = await sql<{ partitioned: boolean }[]>`
    select relkind = 'p' as partitioned from pg_class where oid = to_regclass(${table})`;
  if (!kind) throw new Error(`the table ${table} does not exist; run the migrations first`);
  if (!kind.partitioned) return undefined;
  const rows = await sql<{ name: string }[]>`
    select inhrelid::regclass::text as name from pg_inherits where inhparent = to_regclass(${table}) order by name`;
  return rows.map((row) => row.name);
}

/** The index of each partition that is attached to the index of their parent: partition → index. */
export async function attachedIndexes(sql: OwnerConnection, parentIndex: string): Promise<Map<string, string>> {
  const rows = await sql<{ partition: string; index: string }[]>`
    select i.indrelid::regclass::text as partition, i.indexrelid::regclass::text as index
    from pg_inherits h join pg_index i on i.indexrelid = h.inhrelid
    where h.inhparent = to_regclass(${parentIndex})`;
  return new Map(rows.map((row) => [row.partition, row.index]));
}
