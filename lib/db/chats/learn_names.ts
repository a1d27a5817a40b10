import { toJson } from "../client/json.ts";
import { sql } from "../client/literal.ts";
import type { BusinessScope, Scope } from "../scope.ts";
import type { ChatAlias } from "../schema.ts";

export type ChatName = Pick<ChatAlias, "business_id" | "alias" | "chat"> & {
  /** When WhatsApp named the account so; absent: just now. */
  at?: Date;
};

/** Serialises writers of a business's names and of what follows them (learn_chat_aliases.sql). */
export async function lockNames(scope: BusinessScope): Promise<void> {
  await scope.ask(sql`select pg_advisory_xact_lock(hashtext('prosaas.names'), hashtext(${scope.businessId}))`);
}

/**
 * Records other names of accounts (learn_chat_aliases.sql); returns the businesses whose chats have to be merged. From
 * then on rows of these accounts are written under their chat alone.
 */
export async function learnNames(scope: Pick<Scope, "ask">, names: readonly ChatName[]): Promise<string[]> {
  if (names.length === 0) return [];
  const distinct = [...new Map(names.map((name) => [`${name.business_id} ${name.alias} ${name.chat}`, name])).values()];
  const rows = await scope.ask<{ id: string }[]>(sql`
    select distinct id from learn_chat_aliases(${toJson(distinct)}::jsonb) as id`);
  return rows.map(({ id }) => id);
}
