import { sql } from "../client/literal.ts";
import type { ChatAlias } from "../schema.ts";
import type { BusinessScope, PlatformScope } from "../scope.ts";

/** Longer than any transaction lasts: one that began before an alias was learned has ended by then. */
const settleS = 120;

/** Lists businesses whose chats have to be merged; pass the last id as `after` for the next page. */
export async function listUnmerged(
  scope: PlatformScope,
  { after, limit }: { after: string | undefined; limit: number },
): Promise<string[]> {
  const rows = await scope.ask<{ id: string }[]>(sql`
    select distinct business_id as id from chat_aliases
    where not settled and (merged_at is null or learned_at < now() - make_interval(secs => ${settleS}))
      ${after === undefined ? sql`` : sql`and business_id > ${after}`}
    order by 1 limit ${limit}`);
  return rows.map(({ id }) => id);
}

/** The aliases of a business under which messages may be left. */
export function unmergedAliases(scope: BusinessScope, limit: number): Promise<Pick<ChatAlias, "alias" | "chat">[]> {
  return scope.ask(sql`
    select alias, chat from chat_aliases
    where business_id = ${scope.businessId} and not settled
      and (merged_at is null or learned_at < now() - make_interval(secs => ${settleS}))
    order by merged_at nulls first, learned_at, alias limit ${limit}`);
}

/**
 * Writes at most `limit` messages of an alias under its chat; returns how many. None, if the alias leads elsewhere by
 * now. `queued`: those that wait in the urgent outbox, or in both. Without it, all but a broadcast's queued messages:
 * the broadcast outbox readdresses these, because it alone may fail those that reach the account a second time.
 */
export async function rekeyMessages(
  scope: BusinessScope,
  { alias, chat }: Pick<ChatAlias, "alias" | "chat">,
  { limit, queued }: { limit: number; queued?: "urgent" | "both" },
): Promise<number> {
  const included =
    queued === undefined
      ? sql`(status <> 'queued' or broadcast_id is null)`
      : sql`status = 'queued' ${queued === "urgent" ? sql`and broadcast_id is null` : sql``}`;
  const [row] = await scope.ask<[{ count: number }]>(sql`
    with name as materialized (
      -- Before the messages, as a transaction does that learns names (lock_messages.ts).
      select from chat_aliases
      where business_id = ${scope.businessId} and alias = ${alias} and chat = ${chat} for update
    ), locked as (
      -- In order of id, as every bulk statement on this table locks, so that two of them never deadlock.
      select id from messages
      where business_id = ${scope.businessId} and chat = ${alias} and ${included} and exists (select from name)
      order by id limit ${limit} for update
    ), rekeyed as (
      update messages m set chat = ${chat}, sender = case when m.sender = ${alias} then ${chat} else m.sender end
      from locked where m.id = locked.id returning m.id
    ), counted as (
      update chat_aliases set rekeyed = rekeyed + (select count(*)::integer from rekeyed)
      where business_id = ${scope.businessId} and alias = ${alias} and exists (select from rekeyed)
    )
    select count(*)::integer as count from rekeyed`);
  return row.count;
}

export type MergedChat = Pick<ChatAlias, "alias" | "chat" | "rekeyed">;

/**
 * Records that no message is left under an alias, unless it leads to another chat by now. Returns the merge when it is
 * complete for the first time and had messages.
 */
export async function settleAlias(
  scope: BusinessScope,
  { alias, chat }: Pick<ChatAlias, "alias" | "chat">,
): Promise<MergedChat | undefined> {
  const [row] = await scope.ask<(MergedChat & { first: boolean })[]>(sql`
    with before as (
      select alias, merged_at from chat_aliases
      where business_id = ${scope.businessId} and alias = ${alias} and chat = ${chat} for update
    )
    update chat_aliases a
    set merged_at = coalesce(a.merged_at, now()),
        settled = a.learned_at < now() - make_interval(secs => ${settleS})
    from before where a.business_id = ${scope.businessId} and a.alias = before.alias
    returning a.alias, a.chat, a.rekeyed, before.merged_at is null as first`);
  return row?.first && row.rekeyed > 0 ? { alias: row.alias, chat: row.chat, rekeyed: row.rekeyed } : undefined;
}
