/*
 * Errors of PostgreSQL quote what they are about: `detail` and `where` hold values of rows and parameters, and some
 * messages do. Those are customers' data, which no log may hold. What remains names the fault: SQLSTATE, constraint,
 * table, column, routine.
 */

type PostgresError = Error & { code: string };

/** As ErrorResponse names them: "where" quotes statements and parameters, "hint" may quote values. */
const quotingFields = ["detail", "hint", "internal_query", "internal_position", "where"] as const;

/** SQLSTATEs whose messages may quote a value or a piece of the statement: data exceptions and syntax errors. */
const quotingCodes = /^22|^42601$/;
/** Those whose messages may hold anything: raised by functions, and internal errors. */
const freeCodes = /^(P0|XX)/;

export function isPostgresError(error: unknown): error is PostgresError {
  return error instanceof Error && error.name === "PostgresError" && "code" in error && typeof error.code === "string";
}

/** The message of an error of PostgreSQL, without values. */
function plainMessage(error: PostgresError): string {
  const quotes = freeCodes.test(error.code) || (quotingCodes.test(error.code) && /["']/.test(error.message));
  return quotes ? `PostgreSQL error ${error.code}` : error.message;
}

/** Removes what an error of PostgreSQL quotes, in place. Other errors stay as they are. */
export function removeQuotedValues(error: unknown): void {
  if (!isPostgresError(error)) return;
  for (const field of quotingFields) Reflect.deleteProperty(error, field);
  const plain = plainMessage(error);
  if (plain === error.message) return;
  if (error.stack !== undefined) error.stack = error.stack.replace(error.message, () => plain);
  error.message = plain;
}

/** The same for an error that was serialised with its causes; `fields` is changed, the error is not. */
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
