/*
 * Statements with inlined values, for the simple query protocol. There a statement and its scope travel in one exchange
 * with the server; with parameters it takes four (begin, describe, bind, commit), because a pooler in transaction mode
 * keeps no prepared statement. This file alone makes that safe: only `sql` puts a value into a statement, and `sql`
 * writes every value as a quoted literal.
 */

export type Value = string | number | bigint | boolean | Date | null | readonly string[];

const text = Symbol("text");

/** A statement, or a fragment of one, with inlined values. Only `sql` creates them. */
export type Statement = { readonly [text]: string };

/** Builds a statement from a template: values become literals, statements are inserted unchanged. */
export function sql(strings: TemplateStringsArray, ...values: (Value | Statement)[]): Statement {
  let statement = strings[0]!;
  values.forEach((value, i) => {
    statement += (isStatement(value) ? value[text] : literal(value)) + strings[i + 1]!;
  });
  return { [text]: statement };
}

/** The text of a statement: for scope.ts, which sends it, and for functions that migrate creates. */
export function textOf(statement: Statement): string {
  return statement[text];
}

/**
 * Quotes a value as a literal whose type the server infers from its context, as it does for a parameter. Safe under any
 * setting of standard_conforming_strings, in an encoding (UTF-8, which the driver requests) whose multi-byte characters
 * contain no ASCII. Throws TypeError on an invalid value and on U+0000, which ends a query.
 */
export function literal(value: Value): string {
  if (value === null) return "null";
  if (typeof value === "string") return quoted(value);
  if (typeof value === "number" || typeof value === "bigint" || typeof value === "boolean")
    return quoted(String(value));
  if (value instanceof Date) return quoted(value.toISOString());
  if (Array.isArray(value)) return quoted(`{${value.map(element).join(",")}}`);
  throw new TypeError("a statement contains an invalid value");
}

function quoted(value: string): string {
  if (value.includes("\u0000")) throw new TypeError("a text for Postgres must not contain U+0000");
  const inner = value.replaceAll("'", "''");
  return inner.includes("\\") ? ` E'${inner.replaceAll("\\", "\\\\")}'` : `'${inner}'`;
}

function element(value: string): string {
  return `"${value.replaceAll(/["\\]/g, "\\$&")}"`;
}

function isStatement(value: Value | Statement): value is Statement {
  return typeof value === "object" && value !== null && text in value;
}
