import { AppError } from "../core/errors.ts";

/** What ioredis says where it has no connection, and codes of the socket under it. */
const disconnected =
  /^(Connection is closed|Stream isn't writeable|Command timed out|Reached the max retries|connect |Socket closed|ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT)/;

/** What a Redis answers that is there and cannot serve: starting, a replica, without memory, cut off from its cluster. */
const unable = /^(LOADING|READONLY|OOM|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|BUSY|MISCONF|NOREPLICAS|UNBLOCKED)\b/;

/** Redis cannot do it now, through no fault of the command. */
export function isRedisUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return disconnected.test(error.message) || unable.test(error.message) || error.name === "MaxRetriesPerRequestError";
}

/** Turns what a caller can only wait for into an "unavailable"; everything else stays what it is. */
export function toRedisError(error: unknown): unknown {
  if (!isRedisUnavailable(error)) return error;
  return new AppError("unavailable", "Redis cannot be reached at present; try again shortly.", {
    cause: error,
    retryAfterS: 1,
  });
}

/** The answer of a plain command; throws as a script does. */
export async function answerOf<T>(command: Promise<T>): Promise<T> {
  return command.catch((error: unknown) => {
    throw toRedisError(error);
  });
}
