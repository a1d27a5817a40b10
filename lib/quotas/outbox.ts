import { forBusiness, outboxUsage } from "../db/index.ts";
import type { Database } from "../db/index.ts";
import { limitsOf } from "./limits.ts";
import { createUsageCache } from "./usage_cache.ts";
import type { ReadUsage, UsageCache, UsageCacheOptions } from "./usage_cache.ts";

/** Messages that still have to be sent, recipients of unfinished broadcasts included. */
export type OutboxQuota = UsageCache<"queued_messages" | "queued_bytes">;

export type OutboxLimits = { messages: number; bytes: number };

/** Reads the usage of the outbox quotas. */
export const readOutboxUsage =
  (db: Database): ReadUsage<"queued_messages" | "queued_bytes"> =>
  async (businessId, defaults, dueAt) => {
    const scope = forBusiness(db, businessId, dueAt);
    const limits = await limitsOf(scope, defaults);
    const used = await outboxUsage(scope, limits.queued_messages);
    return { used: { queued_messages: used.messages, queued_bytes: used.bytes }, limits };
  };

/** The cached usage of the outbox quotas over a database. */
export function createOutboxQuota(
  db: Database,
  { messages, bytes }: OutboxLimits,
  watch: Pick<UsageCacheOptions<"queued_messages" | "queued_bytes">, "onRefused" | "onError" | "refreshMs"> = {},
): OutboxQuota {
  const advice = "Wait until queued messages are sent, or cancel broadcasts, and retry.";
  return createUsageCache({
    ...watch,
    limits: { queued_messages: messages, queued_bytes: bytes },
    advice: { queued_messages: advice, queued_bytes: advice },
    retryAfterS: 10,
    read: readOutboxUsage(db),
  });
}

/** Bytes that a message takes in the outbox, about: its text and its content as JSON. */
export function payloadBytes(text: string | null, content: object | null | undefined): number {
  return Buffer.byteLength(text ?? "") + (content ? Buffer.byteLength(JSON.stringify(content)) : 0);
}
