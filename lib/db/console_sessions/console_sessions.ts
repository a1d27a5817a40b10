import { eq } from "drizzle-orm";
import { sql } from "../client/literal.ts";
import { execute, query } from "../query.ts";
import type { PlatformScope } from "../scope.ts";
import { consoleSessions } from "./schema.ts";
import type { ConsoleSession } from "./schema.ts";

/**
 * Stores a session that lasts for `lifetimeS`, or until its key expires if that is sooner; returns its end.
 * Hand-written SQL: the row is computed from the key's row by the database's clock.
 */
export async function insertConsoleSession(
  scope: PlatformScope,
  { hash, key_id, lifetimeS }: Pick<ConsoleSession, "hash" | "key_id"> & { lifetimeS: number },
): Promise<Date> {
  const [stored] = await scope.ask<[{ expires_at: Date }]>(sql`
    insert into console_sessions (hash, key_id, expires_at)
    select ${hash}, id, least(expires_at, now() + make_interval(secs => ${lifetimeS})) from api_keys
      where id = ${key_id}
    returning expires_at`);
  return stored.expires_at;
}

/** Ends a session, if it exists. */
export async function deleteConsoleSession(scope: PlatformScope, hash: string): Promise<void> {
  await execute(scope, query.delete(consoleSessions).where(eq(consoleSessions.hash, hash)));
}
