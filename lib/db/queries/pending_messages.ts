import type { Message } from "../schema/index.ts";
import type { BusinessScope } from "../scope.ts";

export type PendingMessage = Pick<Message, "id" | "chat" | "type" | "text" | "wa_message_id" | "attempts">;

/**
 * What is to be handed to the shard now, in order: the caller holds the lease of the business. A chat whose
 * earlier message waits for its next attempt waits with it, so that nothing is overtaken. What has expired
 * fails here and is not given out.
 */
export function pendingMessages(scope: BusinessScope, { limit }: { limit: number }): Promise<PendingMessage[]> {
  return scope.run(
    (sql) => sql<PendingMessage[]>`
      with expired as (
        update messages
        set status = 'failed', failed_at = now(), next_attempt_at = null,
            error_code = 'expired', error_message = 'It expired before it could be sent.'
        where business_id = ${scope.businessId} and status = 'queued' and expires_at <= now()
      )
      select m.id, m.chat, m.type, m.text, m.wa_message_id, m.attempts
      from messages m
      where m.business_id = ${scope.businessId} and m.status = 'queued' and m.next_attempt_at <= now()
        and (m.expires_at is null or m.expires_at > now())
        and not exists (
          select from messages earlier
          where earlier.business_id = m.business_id and earlier.chat = m.chat and earlier.status = 'queued'
            and earlier.id < m.id and earlier.next_attempt_at > now()
            and (earlier.expires_at is null or earlier.expires_at > now())
        )
      order by m.id
      limit ${limit}`,
  );
}
