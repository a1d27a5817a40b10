import { AppError, messageOf } from "../../lib/core/errors.ts";
import { findLine, forPlatform, isDatabaseUnavailable } from "../../lib/db/index.ts";
import type { Database, Line } from "../../lib/db/index.ts";
import type { Logger } from "../../lib/runtime/log.ts";
import { within } from "./within.ts";

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
  /** Maximum age of a cached line that is used while Postgres is unavailable. */
  memoryMs?: number;
  /** Cached lines. */
  memorySize?: number;
};

/** Queries Postgres for every call, so that a change applies at once; falls back to a cache during an outage. */
export function createLineDirectory({
  db,
  logger,
  patienceMs = 2000,
  memoryMs = 3_600_000,
  memorySize = 10_000,
}: LineDirectoryOptions): LineDirectory {
  const platform = forPlatform(db);
  const memory = new Map<string, { line: Line | undefined; at: number }>();

  const remember = (number: string, line: Line | undefined) => {
    memory.delete(number);
    memory.set(number, { line, at: performance.now() });
    if (memory.size > memorySize) memory.delete(memory.keys().next().value!);
  };

  return {
    find: async (number, callSid) => {
      try {
        const found = await within(
          patienceMs,
          findLine(platform, { number, callSid }),
          "The database does not answer in time. Retry shortly.",
        );
        remember(number, found.line);
        return found;
      } catch (error) {
        const known = memory.get(number);
        if (!isUnavailable(error) || known === undefined || performance.now() - known.at > memoryMs) throw error;
        logger.warn({ error: messageOf(error), call_sid: callSid }, "Postgres is unavailable; using the cached line");
        return { line: known.line, ended: false };
      }
    },
  };
}

function isUnavailable(error: unknown): boolean {
  return isDatabaseUnavailable(error) || (error instanceof AppError && error.code === "unavailable");
}
