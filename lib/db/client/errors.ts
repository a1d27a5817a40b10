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

/** Codes of a statement that was sent and whose answer was lost: it may have taken effect. */
const unanswered = new Set([
  "08007",
  "40003",
  "ANSWER_TIMEOUT",
  "CONNECTION_CLOSED",
  "CONNECTION_DESTROYED",
  "ECONNRESET",
  "EPIPE",
]);

/**
 * SQLSTATEs (PostgreSQL, appendix A) after which the same statement may well succeed: connection exceptions (08),
 * transaction rollback (40: deadlock, serialisation), insufficient resources (53), lock not available (55P03),
 * statement timeout and shutdown (57), and 25006, a primary that has become a standby.
 */
const transient = /^(08|40|53|57)|^(55P03|25006)$/;

/** True if the database is unavailable, through no fault of the statement. */
export function isDatabaseUnavailable(error: unknown): boolean {
  const code = codeOf(error);
  return code !== undefined && (disconnected.has(code) || transient.test(code));
}

/** True if another row has these values already. */
export function isUniqueViolation(error: unknown): boolean {
  return codeOf(error) === "23505";
}

/** True if a statement waited for a lock longer than its `lock_timeout`. */
export function isLockTimeout(error: unknown): boolean {
  return error instanceof AppError && codeOf(error.cause) === "55P03";
}

/** Turns an unavailable database into an AppError "unavailable"; strips values of rows from any other error. */
export function toDatabaseError(error: unknown): unknown {
  removeQuotedValues(error);
  if (!isDatabaseUnavailable(error)) return error;
  const message = unanswered.has(codeOf(error)!)
    ? "The database did not answer. The request may have taken effect; retry with the same Idempotency-Key."
    : "The database is unavailable. Retry shortly.";
  return new AppError("unavailable", message, { cause: error, retryAfterS: 1 });
}

function codeOf(error: unknown): string | undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : undefined;
}
