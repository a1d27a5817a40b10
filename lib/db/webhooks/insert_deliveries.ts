import { uuidv7 } from "../../core/ids.ts";
import { toJson } from "../client/json.ts";
import type { Scope, Sql } from "../scope.ts";
import type { Webhook } from "./schema.ts";

/** An event as its deliveries need it; lib/events knows which events there are. */
export type DeliverableEvent = {
  business_id: string;
  event: string;
  /** The chat that keeps its events in order, if any. */
  chat: string | null;
  at: Date;
  data: Record<string, unknown>;
  /** An endpoint that does not receive it. */
  exceptWebhook?: string;
  /** The one endpoint that receives it, whatever that endpoint subscribes to. */
  onlyWebhook?: string;
  /** W3C traceparent, if the event is part of a sampled trace. */
  trace?: string | undefined;
};

/** Hours after which a delivery that no endpoint accepted expires. */
export const deliveryLifeHours = 24;

/** Characters of payloads in one statement; a longer payload has a statement of its own. */
const maxStatementLength = 2 * 1024 * 1024;

type Subscriber = Pick<Webhook, "id" | "business_id" | "events">;

/**
 * Inserts a delivery for each endpoint that receives one of the events; returns the ids of these endpoints.
 * Hand-written SQL: every inbound message and receipt passes here, so the endpoints of all businesses are read by one
 * statement, and all deliveries are written by one more unless their payloads are large.
 */
export async function insertDeliveries(scope: Scope, events: readonly DeliverableEvent[]): Promise<string[]> {
  if (events.length === 0) return [];
  return scope.run(async (sql) => {
    const subscribers = await subscribersOf(sql, events);
    const deliveries = events.flatMap((event) => recipientsOf(event, subscribers).map((id) => ({ id, event })));
    for (const rows of rowsByStatement(deliveries)) await insertRows(sql, rows);
    return [...new Set(deliveries.map(({ id }) => id))];
  });
}

/** The endpoints of the events' businesses; events that name their endpoint need none. */
async function subscribersOf(sql: Sql, events: readonly DeliverableEvent[]): Promise<Subscriber[]> {
  const businesses = new Set(
    events.filter(({ onlyWebhook }) => onlyWebhook === undefined).map(({ business_id }) => business_id),
  );
  if (businesses.size === 0) return [];
  return sql<Subscriber[]>`
    select id, business_id, events from webhooks
    where business_id = any(${[...businesses]}::uuid[]) and status <> 'disabled' and deleted_at is null`;
}

function recipientsOf(event: DeliverableEvent, subscribers: readonly Subscriber[]): string[] {
  if (event.onlyWebhook !== undefined) return [event.onlyWebhook];
  return subscribers
    .filter(({ id, business_id, events }) => {
      return business_id === event.business_id && events.includes(event.event) && id !== event.exceptWebhook;
    })
    .map(({ id }) => id);
}

type NewDelivery = ReturnType<typeof deliveryOf>;

function deliveryOf(webhook_id: string, { business_id, event, chat, at, data, trace }: DeliverableEvent) {
  const payload = JSON.stringify({ type: event, timestamp: at.toISOString(), data: { business_id, ...data } });
  return { id: uuidv7(), webhook_id, business_id, event, chat, payload, trace };
}

/**
 * The rows of one statement after the other, each created when it is needed: a batch of long messages has more than a
 * hundred megabytes of payloads if their business has many endpoints.
 */
function* rowsByStatement(deliveries: { id: string; event: DeliverableEvent }[]): Generator<NewDelivery[], undefined> {
  let rows: NewDelivery[] = [];
  let length = 0;
  for (const { id, event } of deliveries) {
    const row = deliveryOf(id, event);
    if (rows.length > 0 && length + row.payload.length > maxStatementLength) {
      yield rows;
      rows = [];
      length = 0;
    }
    rows.push(row);
    length += row.payload.length;
  }
  if (rows.length > 0) yield rows;
  return undefined;
}

async function insertRows(sql: Sql, deliveries: NewDelivery[]): Promise<void> {
  await sql`
    -- The delivery order comes from a sequence here, not from the ids. The writer of a status holds the row's lock by
    -- now, so a later status gets a later number even if another process's clock is wrong.
    insert into webhook_deliveries (id, webhook_id, business_id, event, chat, payload, next_attempt_at, expires_at,
                                    trace)
    -- Truncated to the millisecond, not rounded up: the delivery is due as soon as it is written.
    select r.id, r.webhook_id, r.business_id, r.event, r.chat, r.payload, date_trunc('milliseconds', now()),
           now() + make_interval(hours => ${deliveryLifeHours}::integer), r.trace
    from jsonb_to_recordset(${toJson(deliveries)}::text::jsonb)
      as r(id uuid, webhook_id uuid, business_id uuid, event text, chat text, payload text,
           trace text)`;
}
