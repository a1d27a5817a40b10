import { sql } from "../client/literal.ts";
import type { Message } from "../schema.ts";
import type { BusinessScope } from "../scope.ts";
import { claimFunction } from "./claim_function.ts";
import { changeFromJson } from "../messages/status_change.ts";
import type { StatusChange } from "../messages/status_change.ts";

export type PendingMessage = Pick<
  Message,
  "id" | "chat" | "type" | "text" | "content" | "wa_message_id" | "attempts" | "broadcast_id"
> & { trace?: string | null };

export type Pending = {
  messages: PendingMessage[];
  /** Messages that this call failed, because they expired or their recipient opted out. */
  expired: StatusChange[];
};

/**
 * Bytes of text and content in one claim; a larger message is claimed alone. Each process that a batch passes through
 * parses it in one go, for which the messages of other businesses wait there. Fifty messages of 5 KB fit.
 */
const maxClaimedBytes = 256 * 1024;

export type PendingOptions = {
  limit: number;
  /** The broadcast outbox; otherwise the urgent outbox. */
  ofBroadcasts?: boolean;
};

/**
 * Claims the due messages of one outbox, in the order of `queued_at` by Postgres' clock. Ids come from many processes
 * with different clocks, so they order messages only within a transaction. The caller holds the lease of this outbox.
 *
 * - Messages of the other outbox are claimed only if they precede a claimed message of their chat.
 * - A message that waits for its next attempt blocks its chat, so that nothing overtakes it.
 * - A broadcast's message that waits for its pace alone blocks no urgent message: it is claimed together with it.
 * - A claim ends at `maxClaimedBytes`, as stored or as JSON; the next one goes on behind it.
 * - Expired messages, and broadcasts' messages whose recipient opted out, fail here.
 *
 * Calls a database function, which keeps the plan: planning the claim takes ten times as long as running it.
 */
export async function pendingMessages(
  scope: BusinessScope,
  { limit, ofBroadcasts = false }: PendingOptions,
): Promise<Pending> {
  const claim = sql`${claimFunction(ofBroadcasts)}(${scope.businessId}, ${limit}, ${maxClaimedBytes})`;
  const [row] = await scope.ask<[{ messages: PendingMessage[]; expired: Parameters<typeof changeFromJson>[0][] }]>(
    sql`select * from ${claim}`,
  );
  return { messages: row.messages, expired: row.expired.map(changeFromJson) };
}
