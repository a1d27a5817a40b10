/*
 * Statements with their values written into them, for the simple query protocol. There a statement and the scope it
 * runs in travel together, in one exchange with the server; with parameters it takes four (begin, describe, bind,
 * commit), because a pooler in transaction mode keeps no prepared statement. What makes that safe is in this file
 * alone: a value becomes part of a statement only by `sql`, and `sql` writes every value as a quoted literal.
 */

export type Value = string | number | bigint | boolean | Date | null | readonly string[];

const text = Symbol("text");

/** A statement, or a piece of one, with its values in it. Only `sql` makes them. */
export type Statement = { readonly [text]: string };

/** Builds a statement from a template: values become literals, statements become part of it as they are. */
export function sql(strings: TemplateStringsArray, ...values: (Value | Statement)[]): Statement {
  let statement = strings[0]!;
  values.forEach((value, i) => {
    statement += (isStatement(value) ? value[text] : literal(value)) + strings[i + 1]!;
  });
  return { [text]: statement };
}

/** The text of a statement, for the one place that sends it. */
export function textOf(statement: Statement): string {
  return statement[text];
}

/**
 * A value as a literal whose type the server infers from its place, as it does for a parameter. Safe under any
 * setting of standard_conforming_strings, in an encoding (UTF-8, which the driver asks for) whose multi-byte
 * characters hold no ASCII. Throws TypeError on what is no value, or holds U+0000, which ends a query.
 */
export function literal(value: Value): string {
  if (value === null) return "null";
  if (typeof value === "string") return quoted(value);
  if (typeof value === "number" || typeof value === "bigint" || typeof value === "boolean")
    return quoted(String(value));
  if (value instanceof Date) return quoted(value.toISOString());
  if (Array.isArray(value)) return quoted(`{${value.map(element).join(",")}}`);
  throw new TypeError("a statement was given something that is no value");
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
