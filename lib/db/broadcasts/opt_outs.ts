import { sql } from "../client/literal.ts";
import type { OptOut } from "../schema.ts";
import type { BusinessScope } from "../scope.ts";

/** Somebody gets no broadcasts of the business any more; undefined when there is no such business. */
export async function addOptOut(scope: BusinessScope, chat: string): Promise<OptOut | undefined> {
  const [row] = await scope.ask<OptOut[]>(sql`
    with added as (
      insert into opt_outs (business_id, chat) select id, ${chat} from businesses where id = ${scope.businessId} and deleted_at is null
      on conflict do nothing returning *
    )
    select * from added union all select * from opt_outs where business_id = ${scope.businessId} and chat = ${chat}`);
  return row;
}

/** Returns whether there was such an opt-out. */
export async function removeOptOut(scope: BusinessScope, chat: string): Promise<boolean> {
  const rows = await scope.ask<{ chat: string }[]>(
    sql`delete from opt_outs where business_id = ${scope.businessId} and chat = ${chat} returning chat`,
  );
  return rows.length > 0;
}

/** Opt-outs in order of their chats, from `after` on. */
export function listOptOuts(
  scope: BusinessScope,
  { after, limit }: { after: string; limit: number },
): Promise<OptOut[]> {
  return scope.ask<OptOut[]>(sql`
    select * from opt_outs where business_id = ${scope.businessId} and chat > ${after} order by chat limit ${limit}`);
}
