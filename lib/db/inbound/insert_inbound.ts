import type { MessageContent } from "../../messages/index.ts";
import { toJson } from "../client/json.ts";
import { sql } from "../client/literal.ts";
import type { Message } from "../schema.ts";
import type { PlatformScope } from "../scope.ts";
import type { IdentifiedMessage } from "./assign_ids.ts";

/** A message as a shard journaled it: received, or sent from the business's own phone. */
export type InboundMessage = {
  business_id: string;
  wa_message_id: string;
  chat: string;
  sender: string;
  from_me: boolean;
  push_name?: string | null | undefined;
  /** WhatsApp's time. */
  at: Date;
  type: string;
  text?: string | null | undefined;
  content?: MessageContent | null | undefined;
  /** W3C traceparent of its arrival, if that is sampled. */
  trace?: string | null | undefined;
};

export type InsertedMessage = Pick<Message, "id" | "business_id" | "direction" | "chat">;

/**
 * Inserts many inbound messages of many businesses by one database function; returns the new ones in order of id. Skips
 * messages that the business sent through us and messages of deleted businesses.
 */
export async function insertInbound(
  scope: PlatformScope,
  rows: readonly IdentifiedMessage[],
): Promise<InsertedMessage[]> {
  if (rows.length === 0) return [];
  return scope.ask<InsertedMessage[]>(sql`select * from insert_inbound(${toJson(rows)}::jsonb)`);
}
