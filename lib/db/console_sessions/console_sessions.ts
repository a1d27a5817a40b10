import { sql } from "../client/literal.ts";
import type { ConsoleSession } from "../schema.ts";
import type { PlatformScope } from "../scope.ts";

/** Stores a session that lasts for `lifetimeS`, or until its key expires if that is sooner; returns its end. */
export async function insertConsoleSession(
  scope: PlatformScope,
  { hash, key_id, lifetimeS }: Pick<ConsoleSession, "hash" | "key_id"> & { lifetimeS: number },
): Promise<Date> {
  const [stored] = await scope.ask<[{ expires_at: Date }]>(sql`
    insert into console_sessions (hash, key_id, expires_at)
    select ${hash}, id, least(expires_at, now() + make_interval(secs => ${lifetimeS})) from api_keys where id = ${key_id}
    returning expires_at`);
  return stored.expires_at;
}

/** Ends a session; nothing happens where there is none. */
export async function deleteConsoleSession(scope: PlatformScope, hash: string): Promise<void> {
  await scope.ask(sql`delete from console_sessions where hash = ${hash}`);
}
