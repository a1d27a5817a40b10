import { chatNamed } from "../chats/chat_of.ts";
import { sql } from "../client/literal.ts";
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
 * Bytes of contents after which a list ends early: 200 of the longest texts would be 13 MB, whose escaped JSON keeps
 * the process from all other requests.
 */
const maxListBytes = 256 * 1024;

/** `has_next`: another one follows, within the limit or beyond the bytes. */
export type ListedMessage = Message & { has_next: boolean };

/**
 * Messages of a business, newest first: up to the limit, or until their contents exceed 256 KB. Hand-written SQL:
 * window functions over the page measure its contents in the database; indexes.ts lists the indexes of the inner query.
 */
export function listMessages(scope: BusinessScope, filter: MessageFilter): Promise<ListedMessage[]> {
  const { chat, direction, status, before, limit } = filter;
  return scope.ask<ListedMessage[]>(sql`
    select * from (
      select listed.*,
        lead(id) over newest_first is not null as has_next,
        sum(coalesce(octet_length(text), 0) + coalesce(octet_length(content::text), 0)
          + coalesce(octet_length(edits::text), 0) + coalesce(octet_length(reactions::text), 0))
          over (newest_first rows between unbounded preceding and 1 preceding) as bytes_before
      from (
        select * from messages
        where business_id = ${scope.businessId}
          ${chat === undefined ? sql`` : sql`and chat = ${chatNamed(sql`${scope.businessId}::uuid`, sql`${chat}`)}`}
          ${direction === undefined ? sql`` : sql`and direction = ${direction}`}
          ${status === undefined ? sql`` : sql`and status = ${status}`}
          ${before === undefined ? sql`` : sql`and id < ${before}`}
        order by id desc
        limit ${limit}
      ) listed
      window newest_first as (order by id desc)
    ) measured
    where coalesce(bytes_before, 0) < ${maxListBytes}
    order by id desc`);
}
