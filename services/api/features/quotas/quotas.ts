import { messageOf } from "../../../../lib/core/errors.ts";
import { createMediaQuota, createOutboxQuota, defaultQuotas } from "../../../../lib/quotas/index.ts";
import { withoutRepeats } from "../../../../lib/runtime/repeats.ts";
import type { ApiDependencies } from "../../backend/dependencies.ts";

/** The quotas of queued messages and of stored media, with metrics. */
export function createQuotas({ db, logger, metrics, quotas: overrides }: ApiDependencies) {
  const quotas = { ...defaultQuotas, ...overrides };
  const refused = metrics.counter("api_quota_refused_total", "Requests refused because a quota was exceeded.", [
    "quota",
  ]);
  const report = withoutRepeats((error) => logger.warn({ error: messageOf(error) }, "quota usage not read"));
  const watch = { onRefused: (quota: string) => refused.inc({ quota }), onError: report };
  return {
    outboxQuota: createOutboxQuota(db, { messages: quotas.queuedMessages, bytes: quotas.queuedBytes }, watch),
    mediaQuota: createMediaQuota(db, quotas.mediaBytes, watch),
  };
}
