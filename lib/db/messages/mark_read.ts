import { sql } from "../client/literal.ts";
import type { Message } from "../schema.ts";
import type { BusinessScope } from "../scope.ts";

export type UnreadMessage = Pick<Message, "id" | "wa_message_id" | "sender">;

/** How far back unread messages are looked for in a chat. */
const horizon = 1_000;

/** What was received in the chat of a message up to that message and is not marked read: the newest `limit`, oldest first. */
export async function unreadUpTo(
  scope: BusinessScope,
  { id, chat }: Pick<Message, "id" | "chat">,
  limit: number,
): Promise<UnreadMessage[]> {
  const newest = await scope.ask<UnreadMessage[]>(sql`
    select id, wa_message_id, sender from (
      select * from messages where business_id = ${scope.businessId} and chat = ${chat} and id <= ${id} order by id desc limit ${horizon}
    ) recent
    where direction = 'inbound' and status = 'delivered'
    order by id desc
    limit ${limit}`);
  return newest.toReversed();
}

/** Notes that received messages are marked read. */
export async function noteRead(scope: BusinessScope, ids: string[]): Promise<void> {
  if (ids.length === 0) return;
  await scope.ask(sql`
    update messages set status = 'read', read_at = now()
    where business_id = ${scope.businessId} and direction = 'inbound' and status = 'delivered' and id = any(${ids})`);
}
