import { toJson } from "../client/json.ts";
import { sql } from "../client/literal.ts";
import type { PlatformScope } from "../scope.ts";

export type InboundChat = { business_id: string; chat: string };

/** An outbox that has something to send now. */
export type ReleasedOutbox = { business_id: string; of_broadcasts: boolean };

/**
 * Makes the paced messages of these chats due: their contacts have written, so that sending starts no new chat.
 * Every inbound message passes here, hence a database function that reads the index messages_waiting_for_pace.
 */
export async function releaseOnInbound(scope: PlatformScope, chats: readonly InboundChat[]): Promise<ReleasedOutbox[]> {
  if (chats.length === 0) return [];
  const inbound = toJson(chats.map(({ business_id, chat }) => ({ business_id, chat })));
  return scope.ask<ReleasedOutbox[]>(sql`select * from release_on_inbound(${inbound}::jsonb)`);
}
