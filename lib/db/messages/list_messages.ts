import { chatNamed } from "../chats/chat_of.ts";
import { sql } from "../client/literal.ts";
import { pageByBytes } from "../client/page_by_bytes.ts";
import type { Listed } from "../client/page_by_bytes.ts";
import type { Message, MessageDirection, MessageStatus } from "../schema.ts";
import type { BusinessScope } from "../scope.ts";

export type MessageFilter = {
  /** Any name of the chat's account. */
  chat?: string | undefined;
  direction?: MessageDirection | undefined;
  status?: MessageStatus | undefined;
  /** Only messages older than this one. */
  before?: string | undefined;
  limit: number;
};

/**
 * Messages of a business, newest first: up to the limit, or until their contents exceed 256 KB. indexes.ts lists the
 * indexes of the inner query.
 */
export function listMessages(scope: BusinessScope, filter: MessageFilter): Promise<Listed<Message>[]> {
  const { chat, direction, status, before, limit } = filter;
  const rows = sql`
    select * from messages
    where business_id = ${scope.businessId}
      ${chat === undefined ? sql`` : sql`and chat = ${chatNamed(sql`${scope.businessId}::uuid`, sql`${chat}`)}`}
      ${direction === undefined ? sql`` : sql`and direction = ${direction}`}
      ${status === undefined ? sql`` : sql`and status = ${status}`}
      ${before === undefined ? sql`` : sql`and id < ${before}`}
    order by id desc limit ${limit}`;
  const contents = sql`
    coalesce(octet_length(text), 0) + coalesce(octet_length(content::text), 0)
    + coalesce(octet_length(edits::text), 0) + coalesce(octet_length(reactions::text), 0)`;
  return scope.ask<Listed<Message>[]>(pageByBytes(rows, contents));
}
