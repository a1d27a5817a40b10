import { toJson } from "../client/json.ts";
import { sql } from "../client/literal.ts";
import type { Scope } from "../scope.ts";
import { isPaced } from "../outbox/paced.ts";

/*
 * Transactions that lock rows in one order never deadlock:
 *
 *   advisory locks (`lockInbound`, `learnNames`) ▶ broadcasts ▶ chat_aliases ▶ messages, by id ▶ everything else
 *
 * Each bulk statement on messages locks its rows in order of id, in a sub-select with `order by id for update`. Two of
 * them in a transaction would not: such a transaction begins with `lockMessages` for the rows of all of them.
 */

export type MessagesToLock = {
  ids?: readonly string[];
  /** The queued messages of these chats. */
  queuedIn?: readonly { business_id: string; chat: string }[];
  /** The messages of these chats that wait for the account's pace. */
  pacedIn?: readonly { business_id: string; chat: string }[];
};

/** Locks messages in order of id until the transaction ends. */
export async function lockMessages(
  scope: Scope,
  { ids = [], queuedIn = [], pacedIn = [] }: MessagesToLock,
): Promise<void> {
  const chats = (of: typeof queuedIn) => sql`
    (business_id, chat) in (
      select business_id, chat from jsonb_to_recordset(${toJson(of)}::jsonb) as r(business_id uuid, chat text))`;
  const sources = [
    sql`select unnest(${ids}::uuid[])`,
    ...(queuedIn.length > 0 ? [sql`select id from messages where status = 'queued' and ${chats(queuedIn)}`] : []),
    ...(pacedIn.length > 0 ? [sql`select id from messages where ${chats(pacedIn)} and ${isPaced}`] : []),
  ];
  const all = sources.reduce((union, source) => sql`${union} union ${source}`);
  await scope.ask(sql`
    select m.id from messages m where m.id = any (array(${all})) order by m.id for update`);
}
