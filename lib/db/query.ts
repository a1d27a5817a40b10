import { Param, Placeholder, sql as expression } from "drizzle-orm";
import type { SQLWrapper } from "drizzle-orm";
import { PgDialect } from "drizzle-orm/pg-core";
import { drizzle } from "drizzle-orm/postgres-js";
import { sql } from "./client/literal.ts";
import type { Statement, Value } from "./client/literal.ts";
import type { Scope } from "./scope.ts";

/**
 * Builds ordinary reads and writes over the schema. It has no connection: a query runs through a scope only, by
 * `fetchRows`, `execute` or `prepared`.
 *
 * @example
 * const [business] = await fetchRows(scope, query.select().from(businesses).where(eq(businesses.id, id)));
 */
export const query = drizzle.mock();

/** The time of the transaction, by the database's clock. */
export const now = expression<Date>`now()`;

/** A builder's query with rows of this type. */
type RowQuery<Row> = SQLWrapper & PromiseLike<Row[]>;

/**
 * Runs a query and returns its rows as the driver reads them. Keys are the names of the output columns: where a
 * selected column has another name than its key, rename it with `sql`…`.as(key)`.
 */
export function fetchRows<Row extends object>(scope: Pick<Scope, "ask">, rows: RowQuery<Row>): Promise<Row[]> {
  return scope.ask<Row[]>(statementOf(rows));
}

/** Runs a query and returns the number of affected rows. */
export async function execute(scope: Pick<Scope, "ask">, write: SQLWrapper): Promise<number> {
  return (await scope.ask(statementOf(write))).count;
}

/**
 * Builds a query once for many runs, because building one takes about 50 µs. Its named placeholders get their values at
 * each run.
 *
 * @example
 * const findById = prepared(["id"], ({ id }) => query.select().from(businesses).where(eq(businesses.id, id)));
 * const [business] = await findById(scope, { id: "…" });
 */
export function prepared<Name extends string, Row extends object>(
  names: readonly Name[],
  build: (placeholders: Record<Name, Placeholder>) => RowQuery<Row>,
) {
  const placeholders = {} as Record<Name, Placeholder>;
  for (const name of names) placeholders[name] = expression.placeholder(name);
  const template = templateOf(build(placeholders));
  return (scope: Pick<Scope, "ask">, values: Record<Name, Value>): Promise<Row[]> =>
    scope.ask<Row[]>(fill(template, values));
}

/** A builder's query as a statement, with its parameters as literals. */
export function statementOf(built: SQLWrapper): Statement {
  return fill(templateOf(built), {});
}

/** A parameter of a query: a constant, or the value of a placeholder as its column encodes it. */
type Parameter = (values: Record<string, Value>) => Value;

type Template = { strings: TemplateStringsArray; parameters: Parameter[] };

/** U+0000 marks parameters: it occurs in no statement, because Postgres cannot store it. */
class MarkingDialect extends PgDialect {
  override escapeParam(): string {
    return "\u0000";
  }
}
const dialect = new MarkingDialect();

function templateOf(built: SQLWrapper): Template {
  const { sql: text, params } = dialect.sqlToQuery(built.getSQL());
  const parts = text.split("\u0000");
  if (parts.length !== params.length + 1) throw new TypeError("a query must not contain U+0000");
  return { strings: Object.assign(parts, { raw: parts }), parameters: params.map(parameterOf) };
}

function parameterOf(param: unknown): Parameter {
  const encoder = param instanceof Param ? param.encoder : undefined;
  const inner = param instanceof Param ? param.value : param;
  if (!(inner instanceof Placeholder)) return () => param as Value;
  const { name } = inner as Placeholder;
  return (values) => {
    const value = values[name];
    if (value === undefined) throw new TypeError(`the query has no value for ${name}`);
    return encoder === undefined ? value : (encoder.mapToDriverValue(value) as Value);
  };
}

/** Every parameter passes through `sql`, which alone turns values into literals. */
function fill({ strings, parameters }: Template, values: Record<string, Value>): Statement {
  return sql(strings, ...parameters.map((parameter) => parameter(values)));
}
