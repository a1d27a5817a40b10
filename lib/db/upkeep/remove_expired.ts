import { sql } from "../client/literal.ts";
import type { PlatformScope } from "../scope.ts";

/** Rows per statement: few enough not to delay a request that uses the same key. */
const batch = 1_000;

/**
 * Removes expired answers to Idempotency-Keys and expired console sessions; returns how many rows. Call it again while
 * it returns `more`.
 */
export async function removeExpired(
  scope: PlatformScope,
): Promise<{ idempotency_keys: number; console_sessions: number; more: boolean }> {
  const keys = await scope.ask(sql`
    delete from idempotency_keys where ctid = any (array(
      select ctid from idempotency_keys where expires_at <= now() order by expires_at limit ${batch}
        for update skip locked))`);
  const sessions = await scope.ask(sql`
    delete from console_sessions where hash in (select hash from console_sessions where expires_at <= now()
      limit ${batch})`);
  return {
    idempotency_keys: keys.count,
    console_sessions: sessions.count,
    more: keys.count === batch || sessions.count === batch,
  };
}
