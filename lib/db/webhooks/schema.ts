import { sql } from "drizzle-orm";
import { bigint, boolean, integer, pgTable, text, uuid } from "drizzle-orm/pg-core";
import { businesses } from "../businesses/schema.ts";
import { createdAt, moment } from "../columns.ts";

/** active · paused (keeps failing; probed occasionally) · disabled (by its owner, or it answered 410 Gone) */
export const webhookStatuses = ["active", "paused", "disabled"] as const;
export type WebhookStatus = (typeof webhookStatuses)[number];

/** A webhook endpoint of a business. */
export const webhooks = pgTable("webhooks", {
  id: uuid().primaryKey(),
  business_id: uuid()
    .notNull()
    .references(() => businesses.id, { onDelete: "cascade" }),
  url: text().notNull(),
  description: text(),
  /** The events that it subscribes to. */
  events: text().array().notNull(),
  /** Within a chat, deliveries wait for earlier ones. */
  ordered: boolean().notNull().default(false),
  /** Concurrent attempts. */
  max_concurrency: integer().notNull(),
  /** Sealed. */
  secret: text().notNull(),
  /** Sealed; also signs until previous_secret_until. */
  previous_secret: text(),
  previous_secret_until: moment(),
  status: text().$type<WebhookStatus>().notNull().default("active"),
  status_reason: text(),
  status_since: createdAt(),
  /** Attempts in a row that failed. */
  failures: integer().notNull().default(0),
  failing_since: moment(),
  /** Nothing is delivered before this. */
  next_attempt_at: moment(),
  created_at: createdAt(),
  updated_at: createdAt(),
  deleted_at: moment(),
});
export type Webhook = typeof webhooks.$inferSelect;

export const deliveryStatuses = ["pending", "delivered", "dead"] as const;
export type DeliveryStatus = (typeof deliveryStatuses)[number];

/** One event for one endpoint; its id is the webhook-id of every attempt. */
export const webhookDeliveries = pgTable("webhook_deliveries", {
  id: uuid().primaryKey(),
  webhook_id: uuid()
    .notNull()
    .references(() => webhooks.id, { onDelete: "cascade" }),
  business_id: uuid()
    .notNull()
    .references(() => businesses.id, { onDelete: "cascade" }),
  event: text().notNull(),
  chat: text(),
  /** The exact bytes that are signed and sent. */
  payload: text().notNull(),
  status: text().$type<DeliveryStatus>().notNull().default("pending"),
  attempts: integer().notNull().default(0),
  next_attempt_at: moment(),
  /** After this it is not retried. */
  expires_at: moment().notNull(),
  created_at: createdAt(),
  delivered_at: moment(),
  last_attempt_at: moment(),
  last_duration_ms: integer(),
  last_status: integer(),
  last_error: text(),
  /** The order of insertion, in which an ordered endpoint receives them. */
  place: bigint({ mode: "bigint" })
    .notNull()
    .default(sql`nextval('webhook_deliveries_place')`),
  /** W3C traceparent of its event; null unless that was sampled. */
  trace: text(),
});
/** Without the order number: only Postgres compares it, and drivers differ in how they parse it. */
export type WebhookDelivery = Omit<typeof webhookDeliveries.$inferSelect, "place">;
