import { AppError } from "../core/errors.ts";

/** Messages of ioredis without a connection. */
const disconnected =
  /^(Connection is closed|Stream isn't writeable|Command timed out|Reached the max retries|connect |Socket closed)/;

/** Error codes of the socket. */
const socketError = /^(ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT)/;

/** Error replies of a Redis that runs but cannot serve: loading, a replica, out of memory, cut off from its cluster. */
const unable = /^(LOADING|READONLY|OOM|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|BUSY|MISCONF|NOREPLICAS|UNBLOCKED)\b/;

/** True if Redis was unavailable; false if the command itself is at fault. */
export function isRedisUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { message, name } = error;
  return (
    disconnected.test(message) ||
    socketError.test(message) ||
    unable.test(message) ||
    name === "MaxRetriesPerRequestError"
  );
}

/** Turns a temporary failure of Redis into an AppError "unavailable". Other errors pass unchanged. */
export function toRedisError(error: unknown): unknown {
  if (!isRedisUnavailable(error)) return error;
  return new AppError("unavailable", "Redis is unavailable. Retry shortly.", {
    cause: error,
    retryAfterS: 1,
  });
}

/** Awaits a plain command, with the same errors as a `Script`. */
export async function answerOf<T>(command: Promise<T>): Promise<T> {
  return command.catch((error: unknown) => {
    throw toRedisError(error);
  });
}
