import { toJson } from "../client/json.ts";
import { sql } from "../client/literal.ts";
import type { PlatformScope } from "../scope.ts";
import { dueNow } from "./due_now.ts";
import { isPaced } from "./paced.ts";

export type InboundChat = { business_id: string; chat: string };

/** An outbox that has something to send now. */
export type ReleasedOutbox = { business_id: string; of_broadcasts: boolean };

/**
 * Makes the paced messages of these chats due: their contacts have written, so that sending starts no new chat.
 * Every inbound message passes here, hence one statement by the index messages_waiting_for_pace.
 */
export async function releaseOnInbound(scope: PlatformScope, chats: readonly InboundChat[]): Promise<ReleasedOutbox[]> {
  if (chats.length === 0) return [];
  const inbound = toJson(chats.map(({ business_id, chat }) => ({ business_id, chat })));
  return scope.ask<ReleasedOutbox[]>(sql`
    with locked as (
      -- In order of id, as every bulk statement on this table locks, so that two of them never deadlock.
      select m.id from messages m
      where (m.business_id, m.chat) in (
          select business_id, chat from jsonb_to_recordset(${inbound}::jsonb) as r(business_id uuid, chat text))
        and ${isPaced}
      order by m.id for update
    ), released as (
      update messages m set next_attempt_at = ${dueNow}, wait_reason = null
      from locked where m.id = locked.id returning m.business_id, m.broadcast_id
    )
    select distinct business_id, broadcast_id is not null as of_broadcasts from released`);
}
