import type { PlatformScope } from "../scope.ts";

/** The ids of businesses with a message that could be sent now, in order; page on with the last one as `after`. */
export async function listPendingBusinesses(
  scope: PlatformScope,
  { after, limit }: { after?: string | undefined; limit: number },
): Promise<string[]> {
  const rows = await scope.run(
    (sql) => sql<{ business_id: string }[]>`
      select distinct business_id from messages
      where status = 'queued' and next_attempt_at <= now() and business_id > ${after ?? "00000000-0000-0000-0000-000000000000"}
      order by business_id
      limit ${limit}`,
  );
  return rows.map((row) => row.business_id);
}
