import { sql } from "../client/literal.ts";
import type { PlatformScope } from "../scope.ts";

/** The ids of moves that are not over, oldest first; page on with the last one as `after`. */
export async function unfinishedMoves(
  scope: PlatformScope,
  { after, limit }: { after?: string | undefined; limit: number },
): Promise<string[]> {
  const rows = await scope.ask<{ id: string }[]>(sql`
    select id from moves
    where finished_at is null and id > ${after ?? "00000000-0000-0000-0000-000000000000"}
    order by id
    limit ${limit}`);
  return rows.map(({ id }) => id);
}
