import type { OwnerConnection } from "../client/owner.ts";

/** The names that statements of a release can use in a database, and the values that rows must have. */
export type Catalog = {
  /** By "table.column". */
  columns: Map<string, Column>;
  /** Result types by "name(argument types)". */
  functions: Map<string, string>;
};

type Column = { table: string; type: string; isRequired: boolean; isNullable: boolean };

type Row = { table: string; column: string; type: string; nullable: boolean; filled: boolean };

export async function readCatalog(sql: OwnerConnection): Promise<Catalog> {
  const columns = await sql<Row[]>`
    select c.relname as table, a.attname as column, format_type(a.atttypid, a.atttypmod) as type,
           not a.attnotnull as nullable, a.atthasdef or a.attidentity <> '' as filled
    from pg_class c join pg_attribute a on a.attrelid = c.oid
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v') and not c.relispartition
      and a.attnum > 0 and not a.attisdropped`;
  const functions = await sql<{ signature: string; result: string }[]>`
    select proname || '(' || pg_get_function_identity_arguments(oid) || ')' as signature,
           pg_get_function_result(oid) as result
    from pg_proc where pronamespace = 'public'::regnamespace and prokind = 'f'`;
  return {
    columns: new Map(
      columns.map(({ table, column, type, nullable, filled }) => [
        `${table}.${column}`,
        { table, type, isRequired: !nullable && !filled, isNullable: nullable },
      ]),
    ),
    functions: new Map(functions.map(({ signature, result }) => [signature, result])),
  };
}

/**
 * Lists the parts of `before` that its statements would miss in `after`: a column or function that is gone, has
 * another type, or refuses a row without a value. A renamed one is gone under its old name. New tables, columns and
 * functions are none.
 */
export function contractions(before: Catalog, after: Catalog): string[] {
  const found: string[] = [];
  const tables = new Set([...before.columns.values()].map(({ table }) => table));
  for (const [name, was] of before.columns) {
    const is = after.columns.get(name);
    if (is === undefined) found.push(`${name} is gone`);
    else if (is.type !== was.type) found.push(`${name} is ${is.type}, and was ${was.type}`);
    else if (was.isNullable && !is.isNullable) found.push(`${name} refuses null`);
    else if (!was.isRequired && is.isRequired) found.push(`${name} has no default any more`);
  }
  for (const [name, { table, isRequired }] of after.columns)
    if (isRequired && tables.has(table) && !before.columns.has(name))
      found.push(`${name} is new and has neither a default nor null`);
  for (const [signature, result] of before.functions) {
    const now = after.functions.get(signature);
    if (now === undefined) found.push(`${signature} is gone`);
    else if (now !== result) found.push(`${signature} returns ${now}, and returned ${result}`);
  }
  return found;
}
