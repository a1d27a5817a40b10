import { messageOf } from "../../../../lib/core/errors.ts";
import {
  createMediaQuota,
  createOutboxQuota,
  defaultQuotas,
  readMediaUsage,
  readOutboxUsage,
} from "../../../../lib/quotas/index.ts";
import { withoutRepeats } from "../../../../lib/runtime/repeats.ts";
import type { BusinessScope } from "../../../../lib/db/index.ts";
import type { ApiDependencies } from "../../backend/dependencies.ts";

type QuotaName = "media_bytes" | "queued_messages" | "queued_bytes";
/** Reads the use of every quota of a business from the database. */
export type ReadQuotas = (
  scope: BusinessScope,
) => Promise<{ used: Record<QuotaName, number>; limits: Record<QuotaName, number> }>;

/** The quotas of queued messages and of stored media, with metrics. */
export function createQuotas({ db, logger, metrics, quotas: overrides }: ApiDependencies) {
  const quotas = { ...defaultQuotas, ...overrides };
  const refused = metrics.counter("api_quota_refused_total", "Requests refused because a quota was exceeded.", [
    "quota",
  ]);
  const report = withoutRepeats((error) => logger.warn({ error: messageOf(error) }, "quota usage not read"));
  const watch = { onRefused: (quota: string) => refused.inc({ quota }), onError: report };
  const readQuotas: ReadQuotas = async ({ businessId, dueAt }) => {
    const outbox = { queued_messages: quotas.queuedMessages, queued_bytes: quotas.queuedBytes };
    const [media, queued] = await Promise.all([
      readMediaUsage(db)(businessId, { media_bytes: quotas.mediaBytes }, dueAt),
      readOutboxUsage(db)(businessId, outbox, dueAt),
    ]);
    return { used: { ...media.used, ...queued.used }, limits: { ...media.limits, ...queued.limits } };
  };
  return {
    readQuotas,
    outboxQuota: createOutboxQuota(db, { messages: quotas.queuedMessages, bytes: quotas.queuedBytes }, watch),
    mediaQuota: createMediaQuota(db, quotas.mediaBytes, watch),
  };
}
