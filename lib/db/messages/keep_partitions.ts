import { sql } from "../client/literal.ts";
import type { PlatformScope } from "../scope.ts";

/** Sees to it that messages of this month and the `ahead` next ones have a partition; returns the names of new ones. Throws "unavailable" where the table was too busy. */
export async function ensurePartitions(scope: PlatformScope, ahead: number): Promise<string[]> {
  const rows = await scope.ask<{ name: string }[]>(sql`select name from ensure_message_partitions(${ahead}) as name`);
  return rows.map(({ name }) => name);
}

/** Drops all messages that are `months` whole months old and more; returns the names of the partitions. */
export async function dropOldPartitions(scope: PlatformScope, months: number): Promise<string[]> {
  const rows = await scope.ask<{ name: string }[]>(sql`select name from drop_message_partitions(${months}) as name`);
  return rows.map(({ name }) => name);
}
