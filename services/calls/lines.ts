import { BoundedMap } from "../../lib/core/bounded_map.ts";
import { AppError, messageOf } from "../../lib/core/errors.ts";
import { within } from "../../lib/core/time.ts";
import { findLine, forPlatform, isDatabaseUnavailable } from "../../lib/db/index.ts";
import type { Database, Line } from "../../lib/db/index.ts";
import type { Logger } from "../../lib/runtime/log.ts";

export type FoundLine = {
  /** Undefined if the number is not assigned. */
  line: Line | undefined;
  /** True if the call's end is in Postgres. */
  ended: boolean;
};

export type LineDirectory = {
  /** Finds the owner of a number. Throws "unavailable" if Postgres is down and the number is not cached. */
  find(number: string, callSid: string): Promise<FoundLine>;
};

export type LineDirectoryOptions = {
  db: Database;
  logger: Logger;
  /** Timeout of the query, because a caller waits. */
  patienceMs?: number;
};

/** Maximum age of a cached line that is used while Postgres is unavailable. */
const maxAgeMs = 3_600_000;
const cachedLines = 10_000;

/** Queries Postgres for every call, so that a change applies at once; falls back to a cache during an outage. */
export function createLineDirectory({ db, logger, patienceMs = 2000 }: LineDirectoryOptions): LineDirectory {
  const platform = forPlatform(db);
  const cache = new BoundedMap<string, { line: Line | undefined; at: number }>(cachedLines);
  return {
    find: async (number, callSid) => {
      try {
        const found = await within(patienceMs, findLine(platform, { number, callSid }), queryTimedOut);
        cache.set(number, { line: found.line, at: performance.now() });
        return found;
      } catch (error) {
        const known = cache.get(number);
        if (!isUnavailable(error) || known === undefined || performance.now() - known.at > maxAgeMs) throw error;
        logger.warn({ error: messageOf(error), call_sid: callSid }, "Postgres is unavailable; using the cached line");
        return { line: known.line, ended: false };
      }
    },
  };
}

const queryTimedOut = () =>
  new AppError("unavailable", "The database does not answer in time. Retry shortly.", { retryAfterS: 1 });

function isUnavailable(error: unknown): boolean {
  return isDatabaseUnavailable(error) || (error instanceof AppError && error.code === "unavailable");
}
