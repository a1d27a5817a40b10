import { insertDeliveries } from "../db/index.ts";
import type { Scope } from "../db/index.ts";
import { goesTo } from "./catalogue.ts";
import type { EventName } from "./catalogue.ts";
import type { EventData } from "./payloads.ts";
import type { LiveEvent } from "./stream.ts";
import { traceEvents } from "./trace_events.ts";

/** A fact about a business. */
export type Event<N extends EventName = EventName> = {
  [K in N]: {
    name: K;
    business_id: string;
    /** The chat that keeps its events in order, if any. */
    chat?: string | null;
    at: Date;
    data: Omit<EventData<K>, "business_id">;
    /** An endpoint that does not receive it because the event is about that endpoint. */
    exceptWebhook?: string;
    /** The one endpoint that receives it, whatever that endpoint subscribes to. */
    onlyWebhook?: string;
    /** W3C traceparent of its cause, if that is sampled. */
    trace?: string | undefined;
  };
}[N];

/** The after-commit work, which a publisher does (publisher.ts). */
export type Emitted = {
  /** Endpoints with new deliveries. */
  webhookIds: readonly string[];
  /** Entries for live streams. */
  entries: readonly LiveEvent[];
};

/**
 * Writes the webhook deliveries of events in the caller's transaction and returns the after-commit work. A fact and its
 * deliveries so commit together. One query finds the endpoints; a second one runs only if any subscribes.
 */
export async function emit(tx: Scope, events: readonly Event[]): Promise<Emitted> {
  const deliverable = traceEvents(events).filter(({ name }) => goesTo(name, "webhook"));
  const webhookIds = await insertDeliveries(
    tx,
    deliverable.map(({ name, chat, ...event }) => ({ ...event, event: name, chat: chat ?? null })),
  );
  return { webhookIds, entries: liveEntries(events) };
}

/** The live-stream entries of events whose business has no endpoint, or whose deliveries another transaction writes. */
export function liveEntries(events: readonly Event[]): LiveEvent[] {
  return events
    .filter(({ name }) => goesTo(name, "stream"))
    .map(({ name, business_id, at, data }) => ({ business_id, event: name, at: at.toISOString(), data }));
}
