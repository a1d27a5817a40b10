import { sql } from "../client/literal.ts";
import type { PlatformScope } from "../scope.ts";

/** Rows in one statement: a moment's work, and few enough not to hold up a request that uses the same key. */
const batch = 1_000;

/**
 * Removes answers to Idempotency-Keys and console sessions whose time is over; returns how many rows went. Call it
 * again while it returns a full batch of either.
 */
export async function removeExpired(
  scope: PlatformScope,
): Promise<{ idempotency_keys: number; console_sessions: number; more: boolean }> {
  const keys = await scope.ask(sql`
    delete from idempotency_keys where ctid = any (array(
      select ctid from idempotency_keys where expires_at <= now() order by expires_at limit ${batch} for update skip locked))`);
  const sessions = await scope.ask(sql`
    delete from console_sessions where hash in (select hash from console_sessions where expires_at <= now() limit ${batch})`);
  return {
    idempotency_keys: keys.count,
    console_sessions: sessions.count,
    more: keys.count === batch || sessions.count === batch,
  };
}
