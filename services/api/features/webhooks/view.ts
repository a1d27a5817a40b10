import type { z } from "@hono/zod-openapi";
import { sharedDate } from "../../../../lib/core/time.ts";
import type { ListedDelivery, Webhook, WebhookDelivery } from "../../../../lib/db/index.ts";
import type { SubscribableEvent } from "../../../../lib/events/index.ts";
import { isoOrNull } from "../../http/text.ts";
import type { deliveryDetail, deliverySchema, webhookSchema } from "./schemas.ts";

export function webhookView(webhook: Webhook, now = sharedDate()): z.infer<typeof webhookSchema> {
  const { previous_secret_until: until } = webhook;
  return {
    id: webhook.id,
    url: webhook.url,
    description: webhook.description,
    events: webhook.events as SubscribableEvent[],
    ordered: webhook.ordered,
    max_concurrency: webhook.max_concurrency,
    status: webhook.status,
    status_reason: webhook.status === "active" ? null : webhook.status_reason,
    status_since: webhook.status_since.toISOString(),
    failing_since: isoOrNull(webhook.failing_since),
    old_secret_until: until !== null && until > now ? until.toISOString() : null,
    created_at: webhook.created_at.toISOString(),
    updated_at: webhook.updated_at.toISOString(),
  };
}

export function deliveryView(delivery: ListedDelivery): z.infer<typeof deliverySchema> {
  const { last_attempt_at: at } = delivery;
  return {
    id: delivery.id,
    event: delivery.event,
    status: delivery.status,
    attempts: delivery.attempts,
    next_attempt_at: isoOrNull(delivery.next_attempt_at),
    created_at: delivery.created_at.toISOString(),
    delivered_at: isoOrNull(delivery.delivered_at),
    last_attempt:
      at === null
        ? null
        : {
            at: at.toISOString(),
            duration_ms: delivery.last_duration_ms ?? 0,
            http_status: delivery.last_status,
            error: delivery.last_error,
          },
  };
}

export function deliveryDetailView(delivery: WebhookDelivery): z.infer<typeof deliveryDetail> {
  return { ...deliveryView(delivery), payload: JSON.parse(delivery.payload) as Record<string, unknown> };
}
