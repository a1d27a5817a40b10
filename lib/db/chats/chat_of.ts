import { sql } from "../client/literal.ts";
import type { Statement } from "../client/literal.ts";
import type { ChatAlias } from "../schema.ts";
import type { BusinessScope } from "../scope.ts";

/**
 * SQL: the chat of the account that has this name, or the name itself. The outer select makes it a value that the
 * planner may look up in an index: under row-level security it does so only with functions that are leakproof, and
 * coalesce is not.
 */
export const chatNamed = (businessId: Statement, name: Statement) => sql`(select coalesce(
  (select named.chat from chat_aliases named
   where named.business_id = ${businessId} and named.alias = ${name}), ${name}))`;

/** The chat of the account that has this name, or the name itself. */
export async function resolveChat(scope: BusinessScope, name: string): Promise<string> {
  const [row] = await scope.ask<[{ chat: string }]>(sql`
    select ${chatNamed(sql`${scope.businessId}::uuid`, sql`${name}`)} as chat`);
  return row.chat;
}

/** Those of the chats that are another name of an account. */
export async function aliasesAmong(scope: BusinessScope, chats: readonly string[]): Promise<string[]> {
  const rows = await scope.ask<{ alias: string }[]>(sql`
    select alias from chat_aliases where business_id = ${scope.businessId} and alias = any (${chats}::text[])`);
  return rows.map(({ alias }) => alias);
}

/** Locks all other names of the accounts that have these names: they lead to the same chats until the commit. */
export function lockNamesOf(
  scope: BusinessScope,
  names: readonly string[],
): Promise<Pick<ChatAlias, "alias" | "chat">[]> {
  const chat = chatNamed(sql`${scope.businessId}::uuid`, sql`given.name`);
  return scope.ask(sql`
    select alias, chat from chat_aliases
    where business_id = ${scope.businessId} and chat in (select ${chat} from unnest(${names}::text[]) as given (name))
    order by alias for update`);
}
