import { z } from "@hono/zod-openapi";
import { deliveryStatuses, webhookStatuses } from "../../../../lib/db/index.ts";
import { subscribableEvents } from "../../../../lib/events/index.ts";
import { pageQuery } from "../../http/page.ts";
import { storableText, timestamp } from "../../http/text.ts";

/** Maximum deliveries of one replay request. */
export const maxReplayed = 10_000;

const url = z.string().min(1).max(2_048).openapi({
  description: "The https URL that receives the events. It must be on the public internet.",
  example: "https://example.com/hooks/prosaas",
});
const description = storableText(1, 200).openapi({ description: "A name that you choose.", example: "Order system" });
const subscribable = z.enum(subscribableEvents).openapi("SubscribableEvent");
const events = z
  .array(subscribable)
  .min(1)
  .max(subscribableEvents.length)
  .overwrite((names) => [...new Set(names)])
  .openapi({
    description: "The events to deliver.",
    example: ["message.received", "message.delivered"],
  });
const ordered = z.boolean().openapi({
  description:
    "Deliver the events of each chat in order. While the delivery of an event is retried, later events of its chat " +
    "wait.",
});
const maxConcurrency = z
  .int()
  .min(1)
  .max(32)
  .openapi({ description: "Maximum concurrent requests to the URL.", example: 8 });

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
    status: z.enum(["active", "disabled"]).optional().openapi({
      description: '"active" also ends a pause and delivers pending events at once.',
      example: "active",
    }),
  })
  .refine((changes) => Object.keys(changes).length > 0, "needs at least one field to change")
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
      description:
        "paused: deliveries keep failing and are retried less often. disabled: by you, or because the URL answered " +
        "410 Gone.",
    }),
    status_reason: z
      .string()
      .nullable()
      .openapi({ description: "Why the webhook is not active.", example: "It answered 500." }),
    status_since: timestamp,
    failing_since: timestamp.nullable(),
    old_secret_until: timestamp
      .nullable()
      .openapi({ description: "Until then, deliveries are also signed with the previous secret." }),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .openapi("Webhook");

export const createdWebhook = webhookSchema
  .extend({
    secret: z.string().openapi({
      description: "The signing secret, as defined by Standard Webhooks. Only this response contains it.",
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
      .openapi({ description: "Seconds during which deliveries are signed with both secrets.", example: 3600 }),
  })
  .openapi("SecretRotation");

export const deliveryQuery = z.object({
  status: z.enum(deliveryStatuses).optional().openapi({ description: "Returns deliveries with this status." }),
  event: storableText(1, 100)
    .optional()
    .openapi({ description: "Returns deliveries of this event.", example: "message.received" }),
  ...pageQuery,
});

export const deliverySchema = z
  .object({
    id: z.string().openapi({ description: "The `webhook-id` header of every attempt." }),
    event: z.string().openapi({ example: "message.received" }),
    status: z
      .enum(deliveryStatuses)
      .openapi({ description: "dead: every attempt failed for a day, and there are no more." }),
    attempts: z.int(),
    next_attempt_at: timestamp.nullable(),
    created_at: timestamp,
    delivered_at: timestamp.nullable(),
    last_attempt: z
      .object({
        at: timestamp,
        duration_ms: z.int(),
        http_status: z.int().nullable().openapi({ description: "Null if the URL did not answer." }),
        error: z.string().nullable(),
      })
      .nullable(),
  })
  .openapi("WebhookDelivery");

export const deliveryDetail = deliverySchema
  .extend({
    payload: z.record(z.string(), z.unknown()).openapi({ description: "The request body: {type, timestamp, data}." }),
  })
  .openapi("WebhookDeliveryDetail");

const moment = z.iso
  .datetime({ offset: true })
  .transform((text) => new Date(text))
  .openapi({ type: "string", format: "date-time" });

export const replayRange = z
  .strictObject({
    from: moment.openapi({
      type: "string",
      format: "date-time",
      description: "Replays deliveries created at or after this time.",
      example: "2026-03-01T00:00:00.000Z",
    }),
    to: moment.openapi({
      type: "string",
      format: "date-time",
      description: "Replays deliveries created before this time.",
      example: "2026-03-02T00:00:00.000Z",
    }),
    status: z
      .enum(["dead", "delivered"])
      .default("dead")
      .openapi({ description: "Replays deliveries with this status." }),
  })
  .refine(({ from, to }) => from < to, { path: ["to"], message: "must be later than `from`" })
  .openapi("ReplayRange");

export const replayedSchema = z
  .object({
    replayed: z.int().openapi({ description: "Number of deliveries that are pending again." }),
    more: z.boolean().openapi({
      description: `True if more deliveries may match. A request replays the oldest ${maxReplayed}.`,
    }),
  })
  .openapi("ReplayedDeliveries");
