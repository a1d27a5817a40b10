import { sql } from "../client/literal.ts";
import type { PlatformScope } from "../scope.ts";

/** Counts the accounts that have messages in more than one chat, of all businesses or of these. */
export async function splitChats(scope: PlatformScope, businessIds?: readonly string[]): Promise<number> {
  const [row] = await scope.ask<[{ count: number }]>(sql`
    select count(*)::integer as count from (
      select a.business_id, a.chat from chat_aliases a
      where ${businessIds === undefined ? sql`true` : sql`a.business_id = any (${businessIds}::uuid[])`}
        and exists (select from messages m where m.business_id = a.business_id and m.chat = a.alias)
      group by a.business_id, a.chat
    ) split`);
  return row.count;
}
