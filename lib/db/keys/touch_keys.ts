import { and, inArray, isNull, lt, or, sql } from "drizzle-orm";
import { execute, now, query } from "../query.ts";
import type { PlatformScope } from "../scope.ts";
import { apiKeys } from "./schema.ts";

/** Records that keys were used, at most once a minute per key, so that a busy key costs no more than a quiet one. */
export async function touchKeys(scope: PlatformScope, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  const stale = lt(apiKeys.last_used_at, sql`now() - interval '1 minute'`);
  // A locked key was touched by another process just now. Waiting for several in any order could deadlock.
  const idle = query
    .select({ id: apiKeys.id })
    .from(apiKeys)
    .where(and(inArray(apiKeys.id, [...ids]), or(isNull(apiKeys.last_used_at), stale)))
    .for("update", { skipLocked: true });
  await execute(scope, query.update(apiKeys).set({ last_used_at: now }).where(inArray(apiKeys.id, idle)));
}
