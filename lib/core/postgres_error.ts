/*
 * Keeps customers' data out of logs. PostgreSQL quotes values of rows and parameters in `detail`, in `where` and in
 * some messages. This module removes those and keeps the fields that identify the fault: SQLSTATE, constraint, table,
 * column, routine.
 */

type PostgresError = Error & { code: string };

/** Fields of PostgreSQL's ErrorResponse that quote statements, parameters or values. */
const quotingFields = ["detail", "hint", "internal_query", "internal_position", "where"] as const;

/** SQLSTATEs whose messages may quote a value or a part of the statement: data exceptions and syntax errors. */
const quotingCodes = /^22|^42601$/;
/** SQLSTATEs whose messages may hold anything: errors raised by functions, and internal errors. */
const freeCodes = /^(P0|XX)/;

function isPostgresError(error: unknown): error is PostgresError {
  return error instanceof Error && error.name === "PostgresError" && "code" in error && typeof error.code === "string";
}

/** Returns the message of a PostgreSQL error without values. */
function plainMessage(error: PostgresError): string {
  const quotes = freeCodes.test(error.code) || (quotingCodes.test(error.code) && /["']/.test(error.message));
  return quotes ? `PostgreSQL error ${error.code}` : error.message;
}

/** Mutates a PostgreSQL error: removes the values that it quotes. Ignores other errors. */
export function removeQuotedValues(error: unknown): void {
  if (!isPostgresError(error)) return;
  for (const field of quotingFields) Reflect.deleteProperty(error, field);
  const plain = plainMessage(error);
  if (plain === error.message) return;
  if (error.stack !== undefined) error.stack = error.stack.replace(error.message, () => plain);
  error.message = plain;
}

/** Does the same for `fields`, the serialised form of an error and its causes. Mutates `fields`, not the error. */
export function removeQuotedFields<T extends object>(fields: T, error: unknown): T {
  const texts = fields as { message?: unknown; stack?: unknown };
  let depth = 0;
  for (let at = error; at instanceof Error && depth < 10; at = at.cause, depth++) {
    if (!isPostgresError(at)) continue;
    const [quoting, plain] = [at.message, plainMessage(at)];
    for (const name of ["message", "stack"] as const) {
      const text = texts[name];
      if (typeof text === "string") texts[name] = text.replaceAll(quoting, () => plain);
    }
  }
  if (isPostgresError(error)) for (const field of quotingFields) Reflect.deleteProperty(fields, field);
  return fields;
}
