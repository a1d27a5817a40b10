import { sql } from "../client/literal.ts";
import type { PlatformScope } from "../scope.ts";

/**
 * Creates the partitions of messages for this month and the `ahead` next ones; returns the names of new ones. Throws
 * "unavailable" if the table was too busy.
 */
export async function ensurePartitions(scope: PlatformScope, ahead: number): Promise<string[]> {
  const rows = await scope.ask<{ name: string }[]>(sql`select name from ensure_message_partitions(${ahead}) as name`);
  return rows.map(({ name }) => name);
}

/** Drops the partitions that are at least `months` whole months old; returns their names. */
export async function dropOldPartitions(scope: PlatformScope, months: number): Promise<string[]> {
  const rows = await scope.ask<{ name: string }[]>(sql`select name from drop_message_partitions(${months}) as name`);
  return rows.map(({ name }) => name);
}
