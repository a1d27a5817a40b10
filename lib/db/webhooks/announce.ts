import { uuidv7 } from "../../core/ids.ts";
import { toJson } from "../client/json.ts";
import type { Webhook } from "../schema.ts";
import type { BusinessScope, Scope, Sql } from "../scope.ts";

/** Something that happened to a business, for whichever of its endpoints want to know. */
export type Announcement = {
  business_id: string;
  event: string;
  /** The conversation that it keeps its order in, where there is one. */
  chat: string | null;
  at: Date;
  data: Record<string, unknown>;
  /** An endpoint that is not told: the event is about it. */
  except?: string;
};

/** How long an undelivered event is tried. */
export const deliveryLifeHours = 24;

type Subscriber = Pick<Webhook, "id" | "business_id" | "events">;

/**
 * Writes a delivery for each endpoint that wants one of the events; returns the endpoints that have something to
 * deliver now. To be called in the transaction of what the events tell of, so that neither is without the other.
 */
export async function announce(scope: Scope, announcements: readonly Announcement[]): Promise<string[]> {
  if (announcements.length === 0) return [];
  return scope.run(async (sql) => {
    const businesses = [...new Set(announcements.map(({ business_id }) => business_id))];
    const subscribers = await sql<Subscriber[]>`
      select id, business_id, events from webhooks
      where business_id = any(${businesses}::uuid[]) and status <> 'disabled' and deleted_at is null`;
    const deliveries = announcements.flatMap((announcement) =>
      subscribers.filter((subscriber) => wants(subscriber, announcement)).map(({ id }) => deliveryOf(id, announcement)),
    );
    if (deliveries.length === 0) return [];
    await insertDeliveries(sql, deliveries);
    return [...new Set(deliveries.map(({ webhook_id }) => webhook_id))];
  });
}

/** Writes a delivery for one endpoint, whatever it wants to be told. */
export async function announceTo(scope: BusinessScope, webhookId: string, announcement: Announcement): Promise<void> {
  await scope.run((sql) => insertDeliveries(sql, [deliveryOf(webhookId, announcement)]));
}

type NewDelivery = ReturnType<typeof deliveryOf>;

async function insertDeliveries(sql: Sql, deliveries: NewDelivery[]): Promise<void> {
  await sql`
    -- Each draws its place here, and not where its id is made: whoever tells of a row holds its lock by now, so that what
    -- becomes of the row later is told later, whichever process's clock is wrong.
    insert into webhook_deliveries (id, webhook_id, business_id, event, chat, payload, next_attempt_at, expires_at)
    -- Cut to the millisecond, and not rounded to the next one: it is due as soon as it is written.
    select r.id, r.webhook_id, r.business_id, r.event, r.chat, r.payload, date_trunc('milliseconds', now()),
           now() + make_interval(hours => ${deliveryLifeHours}::integer)
    from jsonb_to_recordset(${toJson(deliveries)}::text::jsonb)
      as r(id uuid, webhook_id uuid, business_id uuid, event text, chat text, payload text)`;
}

function wants({ id, business_id, events }: Subscriber, announcement: Announcement): boolean {
  return business_id === announcement.business_id && events.includes(announcement.event) && id !== announcement.except;
}

function deliveryOf(webhook_id: string, { business_id, event, chat, at, data }: Announcement) {
  const payload = JSON.stringify({ type: event, timestamp: at.toISOString(), data: { business_id, ...data } });
  return { id: uuidv7(), webhook_id, business_id, event, chat, payload };
}
