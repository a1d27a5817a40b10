import { and, eq, gt } from "drizzle-orm";
import { chatNamed } from "../chats/chat_of.ts";
import { lockNames } from "../chats/learn_names.ts";
import { sql } from "../client/literal.ts";
import { fetchRows, query } from "../query.ts";
import type { BusinessScope } from "../scope.ts";
import { optOuts } from "./schema.ts";
import type { OptOut } from "./schema.ts";

/**
 * Excludes a chat, by any name of its account, from the broadcasts of the business; undefined if the business does not
 * exist. Hand-written SQL: one statement inserts the row or returns the existing one.
 */
export async function addOptOut(scope: BusinessScope, name: string): Promise<OptOut | undefined> {
  const chat = chatNamed(sql`${scope.businessId}::uuid`, sql`${name}`);
  const [row] = await scope.ask<OptOut[]>(sql`
    with added as (
      insert into opt_outs (business_id, chat)
      select id, ${chat} from businesses where id = ${scope.businessId} and deleted_at is null
      on conflict do nothing returning *
    )
    select * from added union all select * from opt_outs where business_id = ${scope.businessId} and chat = ${chat}`);
  return row;
}

/** Deletes an opt-out by any name of its account; returns whether it existed. */
export async function removeOptOut(scope: BusinessScope, name: string): Promise<boolean> {
  const { count } = await scope.ask(sql`
    delete from opt_outs where business_id = ${scope.businessId}
      and chat = ${chatNamed(sql`${scope.businessId}::uuid`, sql`${name}`)}`);
  return count > 0;
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

/** Opt-outs by a number whose account WhatsApp was not asked for: it may be another spelling of a recipient's. */
export async function uncheckedOptOuts(scope: BusinessScope, limit: number): Promise<string[]> {
  const rows = await scope.ask<{ chat: string }[]>(sql`
    select chat from opt_outs
    where business_id = ${scope.businessId} and checked_at is null and chat like '%@s.whatsapp.net'
    order by chat limit ${limit}`);
  return rows.map(({ chat }) => chat);
}

/** Records that WhatsApp was asked for the accounts of opt-outs. Names that are learned change opt-outs, too. */
export async function noteChecked(scope: BusinessScope, chats: readonly string[]): Promise<void> {
  await lockNames(scope);
  await scope.ask(sql`
    update opt_outs set checked_at = now() where business_id = ${scope.businessId} and chat = any (${chats}::text[])`);
}
