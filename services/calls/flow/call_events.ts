import { AppError, messageOf } from "../../../lib/core/errors.ts";
import { createGroupCommit, forPlatform } from "../../../lib/db/index.ts";
import type { Database } from "../../../lib/db/index.ts";
import { emit, liveEntries } from "../../../lib/events/index.ts";
import type { Emitted, Event, PublishEvents } from "../../../lib/events/index.ts";
import type { Logger } from "../../../lib/runtime/log.ts";
import type { CallState } from "../state/call.ts";

export type CallEvent = "call.started" | "call.resumed" | "call.ended";

export function callEvent(name: CallEvent, call: CallState, at = new Date()): Event<CallEvent> {
  const { call_sid, business_id, direction, from, to, status, stream: streams, duration_s, trace } = call;
  return {
    name,
    business_id,
    at,
    trace: trace ?? undefined,
    data: { call_sid, direction, from, to, status, streams, duration_s },
  };
}

/** Events that may wait for Postgres, enough for a burst of calls. Further events are dropped with a log line. */
const maxWaiting = 1_000;

/**
 * Emits the events of calls without delaying the call. Live streams receive an event at once, because Redis already
 * holds the call's new state. The webhook deliveries of `call.ended` are written together with the call's row
 * (archive.ts). Those of `call.started` and `call.resumed` have no row to commit with, so they are best effort. A burst
 * of them shares one transaction and one connection, which leaves the other connections to admission.
 */
export function createCallEvents({
  db,
  publishEvents,
  logger,
}: {
  db: Database;
  publishEvents: PublishEvents;
  logger: Logger;
}): (name: CallEvent, call: CallState) => void {
  const deliver = createGroupCommit<Event, void>({
    commit: async (events) => {
      const { webhookIds }: Emitted = await emit(forPlatform(db), events);
      await publishEvents({ webhookIds });
      return events.map(() => undefined);
    },
    isItemsFault: () => false,
    maxItems: 100,
    maxCommits: 1,
    maxWaiting,
    overload: () => new AppError("unavailable", `${maxWaiting} call events already wait for the database.`),
  });
  return (name, call) => {
    const event = callEvent(name, call);
    void publishEvents({ entries: liveEntries([event]) });
    if (name === "call.ended") return;
    deliver(event).catch((error: unknown) =>
      logger.warn({ error: messageOf(error), call_sid: call.call_sid, event: name }, "cannot write webhook deliveries"),
    );
  };
}
