import { AppError, messageOf } from "../../lib/core/errors.ts";
import { findLine, forPlatform, isDatabaseUnavailable } from "../../lib/db/index.ts";
import type { Database, Line } from "../../lib/db/index.ts";
import type { Logger } from "../../lib/runtime/log.ts";
import { within } from "./within.ts";

export type FoundLine = {
  /** Undefined: nobody has this number. */
  line: Line | undefined;
  /** The call is over: its end is in Postgres. */
  ended: boolean;
};

export type LineDirectory = {
  /** Whose number this is. Throws "unavailable" where Postgres is away and the number was not asked for lately. */
  find(number: string, callSid: string): Promise<FoundLine>;
};

export type LineDirectoryOptions = {
  db: Database;
  logger: Logger;
  /** A caller waits: Postgres gets this long. */
  patienceMs?: number;
  /** How old a remembered line may be that stands in for a Postgres that is away. */
  memoryMs?: number;
  /** Lines that are remembered at most. */
  memorySize?: number;
};

/** Asks Postgres at every call, so that a change counts at once; while it is away, what is remembered serves. */
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
          "The database does not answer in time; try again shortly.",
        );
        remember(number, found.line);
        return found;
      } catch (error) {
        const known = memory.get(number);
        if (!isAway(error) || known === undefined || performance.now() - known.at > memoryMs) throw error;
        logger.warn(
          { error: messageOf(error), call_sid: callSid },
          "Postgres is away; the number is answered from memory",
        );
        return { line: known.line, ended: false };
      }
    },
  };
}

function isAway(error: unknown): boolean {
  return isDatabaseUnavailable(error) || (error instanceof AppError && error.code === "unavailable");
}
