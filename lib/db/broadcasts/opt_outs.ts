import { and, eq, gt } from "drizzle-orm";
import { sql } from "../client/literal.ts";
import { execute, fetchRows, query } from "../query.ts";
import type { BusinessScope } from "../scope.ts";
import { optOuts } from "./schema.ts";
import type { OptOut } from "./schema.ts";

/**
 * Excludes a chat from the broadcasts of the business; undefined if the business does not exist. Hand-written SQL: one
 * statement inserts the row or returns the existing one.
 */
export async function addOptOut(scope: BusinessScope, chat: string): Promise<OptOut | undefined> {
  const [row] = await scope.ask<OptOut[]>(sql`
    with added as (
      insert into opt_outs (business_id, chat)
      select id, ${chat} from businesses where id = ${scope.businessId} and deleted_at is null
      on conflict do nothing returning *
    )
    select * from added union all select * from opt_outs where business_id = ${scope.businessId} and chat = ${chat}`);
  return row;
}

/** Returns whether the opt-out existed. */
export async function removeOptOut(scope: BusinessScope, chat: string): Promise<boolean> {
  const own = and(eq(optOuts.business_id, scope.businessId), eq(optOuts.chat, chat));
  return (await execute(scope, query.delete(optOuts).where(own))) > 0;
}

/** The opt-outs after the given chat, sorted by chat. */
export function listOptOuts(
  scope: BusinessScope,
  { after, limit }: { after: string; limit: number },
): Promise<OptOut[]> {
  return fetchRows(
    scope,
    query
      .select()
      .from(optOuts)
      .where(and(eq(optOuts.business_id, scope.businessId), gt(optOuts.chat, after)))
      .orderBy(optOuts.chat)
      .limit(limit),
  );
}
