import { sql } from "../client/literal.ts";
import type { PlatformScope } from "../scope.ts";

/** Notes that keys were used: at most once a minute a key, so that a busy one costs no more than a quiet one. */
export async function touchKeys(scope: PlatformScope, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  await scope.ask(sql`
    update api_keys set last_used_at = now()
    where id = any (${ids}::uuid[]) and (last_used_at is null or last_used_at < now() - interval '1 minute')`);
}
