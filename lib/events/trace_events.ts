import { continueTrace, isTracing } from "../tracing/index.ts";
import type { Event } from "./emit.ts";

/** Adds a span to the trace of each event that has one. The event's deliveries are children of its span. */
export function traceEvents(events: readonly Event[]): readonly Event[] {
  if (!isTracing()) return events;
  return events.map((event) => {
    const { name, business_id, data } = event;
    const message = "message_id" in data ? { "prosaas.message_id": data.message_id } : {};
    const span = continueTrace(event.trace, `event ${name}`, {
      attributes: { "prosaas.business_id": business_id, ...message },
    });
    if (span === undefined) return event;
    span.end();
    return { ...event, trace: span.traceparent };
  });
}
