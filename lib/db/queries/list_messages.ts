import { sql } from "../literal.ts";
import type { Message, MessageDirection, MessageStatus } from "../schema/index.ts";
import type { BusinessScope } from "../scope.ts";

export type MessageFilter = {
  chat?: string | undefined;
  direction?: MessageDirection | undefined;
  status?: MessageStatus | undefined;
  /** Only messages older than this one. */
  before?: string | undefined;
  limit: number;
};

/** Messages of a business, newest first. */
export function listMessages(scope: BusinessScope, filter: MessageFilter): Promise<Message[]> {
  const { chat, direction, status, before, limit } = filter;
  return scope.ask<Message[]>(sql`
    select * from messages
    where business_id = ${scope.businessId}
      ${chat === undefined ? sql`` : sql`and chat = ${chat}`}
      ${direction === undefined ? sql`` : sql`and direction = ${direction}`}
      ${status === undefined ? sql`` : sql`and status = ${status}`}
      ${before === undefined ? sql`` : sql`and id < ${before}`}
    order by id desc
    limit ${limit}`);
}
