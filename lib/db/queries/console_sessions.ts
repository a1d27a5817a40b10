import { sql } from "../literal.ts";
import type { ConsoleSession } from "../schema/index.ts";
import type { PlatformScope } from "../scope.ts";

export async function insertConsoleSession(
  scope: PlatformScope,
  { hash, key_id, expires_at }: Pick<ConsoleSession, "hash" | "key_id" | "expires_at">,
): Promise<void> {
  await scope.ask(sql`insert into console_sessions (hash, key_id, expires_at) values (${hash}, ${key_id}, ${expires_at})`);
}

/** Ends a session; nothing happens where there is none. */
export async function deleteConsoleSession(scope: PlatformScope, hash: string): Promise<void> {
  await scope.ask(sql`delete from console_sessions where hash = ${hash}`);
}
