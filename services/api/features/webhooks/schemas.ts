import { z } from "@hono/zod-openapi";
import { sharedDate } from "../../../../lib/core/time.ts";
import { deliveryStatuses, webhookStatuses } from "../../../../lib/db/index.ts";
import type { Webhook, WebhookDelivery } from "../../../../lib/db/index.ts";
import { subscribableEvents } from "../../../../lib/events/index.ts";
import type { SubscribableEvent } from "../../../../lib/events/index.ts";
import { pageQuery } from "../../http/page.ts";
import { isoOrNull, storableText, timestamp } from "../../http/text.ts";

/** Endpoints a business may have: each event costs a delivery for each of them. */
export const mostWebhooks = 16;

/** Deliveries that one request may have made again. */
export const mostReplayed = 10_000;

const url = z
  .string()
  .min(1)
  .max(2_048)
  .openapi({ description: "An https URL on the public internet.", example: "https://example.com/hooks/prosaas" });
const description = storableText(1, 200).openapi({ example: "Order system" });
const subscribable = z.enum(subscribableEvents).openapi("SubscribableEvent");
const events = z
  .array(subscribable)
  .min(1)
  .max(subscribableEvents.length)
  .overwrite((names) => [...new Set(names)])
  .openapi({
    description: "Events that the endpoint subscribes to.",
    example: ["message.received", "message.delivered"],
  });
const ordered = z.boolean().openapi({
  description:
    "Within a chat, tell it nothing before what came earlier: an event that fails holds up the later ones of its chat.",
});
const maxConcurrency = z.int().min(1).max(32).openapi({ description: "Requests to it at once.", example: 8 });

export const newWebhook = z
  .strictObject({
    url,
    description: description.optional(),
    events,
    ordered: ordered.default(false),
    max_concurrency: maxConcurrency.default(8),
  })
  .openapi("NewWebhook");

export const webhookChanges = z
  .strictObject({
    url: url.optional(),
    description: description.optional(),
    events: events.optional(),
    ordered: ordered.optional(),
    max_concurrency: maxConcurrency.optional(),
    status: z
      .enum(["active", "disabled"])
      .optional()
      .openapi({ description: '"active" also ends a pause: what waits is delivered now.', example: "active" }),
  })
  .refine((changes) => Object.keys(changes).length > 0, "name at least one field to change")
  .openapi("WebhookChanges");

export const webhookSchema = z
  .object({
    id: z.string(),
    url: z.string(),
    description: z.string().nullable(),
    events: z.array(subscribable),
    ordered: z.boolean(),
    max_concurrency: z.int(),
    status: z.enum(webhookStatuses).openapi({
      description: "paused: it keeps failing and is tried now and then. disabled: by you, or it answered 410 Gone.",
    }),
    status_reason: z.string().nullable().openapi({ description: "Why it is not active.", example: "It answered 500." }),
    status_since: timestamp,
    failing_since: timestamp.nullable(),
    old_secret_until: timestamp
      .nullable()
      .openapi({ description: "Until then deliveries are signed with the secret before this one too." }),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .openapi("Webhook");

export const createdWebhook = webhookSchema
  .extend({
    secret: z.string().openapi({
      description: "What deliveries are signed with, as Standard Webhooks says: shown once, here.",
      example: "whsec_(44 characters)",
    }),
  })
  .openapi("CreatedWebhook");

export const secretRotation = z
  .strictObject({
    overlap_s: z
      .int()
      .min(0)
      .max(7 * 86_400)
      .default(86_400)
      .openapi({ description: "Seconds for which deliveries are signed with both secrets.", example: 3600 }),
  })
  .openapi("SecretRotation");

export const deliveryQuery = z.object({
  status: z.enum(deliveryStatuses).optional(),
  event: storableText(1, 100).optional().openapi({ example: "message.received" }),
  ...pageQuery,
});

export const deliverySchema = z
  .object({
    id: z.string().openapi({ description: "The webhook-id of every attempt." }),
    event: z.string().openapi({ example: "message.received" }),
    status: z.enum(deliveryStatuses).openapi({ description: "dead: given up after a day." }),
    attempts: z.int(),
    next_attempt_at: timestamp.nullable(),
    created_at: timestamp,
    delivered_at: timestamp.nullable(),
    last_attempt: z
      .object({
        at: timestamp,
        duration_ms: z.int(),
        http_status: z.int().nullable().openapi({ description: "Null where there was no answer." }),
        error: z.string().nullable(),
      })
      .nullable(),
  })
  .openapi("WebhookDelivery");

export const deliveryDetail = deliverySchema
  .extend({
    payload: z.record(z.string(), z.unknown()).openapi({ description: "What was sent: {type, timestamp, data}." }),
  })
  .openapi("WebhookDeliveryDetail");

const moment = z.iso
  .datetime({ offset: true })
  .transform((text) => new Date(text))
  .openapi({ type: "string", format: "date-time", example: "2026-03-01T12:00:00.000Z" });

export const replayRange = z
  .strictObject({
    from: moment.openapi({ type: "string", format: "date-time", example: "2026-03-01T00:00:00.000Z" }),
    to: moment.openapi({ type: "string", format: "date-time", example: "2026-03-02T00:00:00.000Z" }),
    status: z.enum(["dead", "delivered"]).default("dead").openapi({ description: "Which of them." }),
  })
  .refine(({ from, to }) => from < to, { path: ["to"], message: "must be later than `from`" })
  .openapi("ReplayRange");

export const replayedSchema = z
  .object({
    replayed: z.int(),
    more: z
      .boolean()
      .openapi({ description: `Whether there may be more: a request takes the oldest ${mostReplayed}.` }),
  })
  .openapi("ReplayedDeliveries");

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

export function deliveryView(delivery: WebhookDelivery): z.infer<typeof deliverySchema> {
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
