import { AppError } from "../../core/errors.ts";
import { removeQuotedValues } from "../../core/postgres_error.ts";

/** Codes of postgres.js and its socket: the server was not reached, or closed the connection. */
const disconnected = new Set([
  "ACQUIRE_TIMEOUT",
  "ANSWER_TIMEOUT",
  "CONNECTION_CLOSED",
  "CONNECTION_DESTROYED",
  "CONNECTION_ENDED",
  "CONNECT_TIMEOUT",
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTUNREACH",
  "ENOENT",
  "ENOTFOUND",
  "EPIPE",
  "ETIMEDOUT",
]);

/**
 * SQLSTATEs (PostgreSQL, appendix A) after which the same statement may well succeed: connection exceptions (08),
 * transaction rollback (40: deadlock, serialisation), insufficient resources (53), lock not available (55P03),
 * statement timeout and shutdown (57), and 25006, a primary that has become a standby.
 */
const transient = /^(08|40|53|57)|^(55P03|25006)$/;

/** True if the database is unavailable, through no fault of the statement. */
export function isDatabaseUnavailable(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" && (disconnected.has(code) || transient.test(code));
}

/** True if another row has these values already. */
export function isUniqueViolation(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "23505";
}

/** Turns an unavailable database into an AppError "unavailable"; strips values of rows from any other error. */
export function toDatabaseError(error: unknown): unknown {
  removeQuotedValues(error);
  if (!isDatabaseUnavailable(error)) return error;
  return new AppError("unavailable", "The database is unavailable. Retry shortly.", {
    cause: error,
    retryAfterS: 1,
  });
}
