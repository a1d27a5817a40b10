import { atomically } from "../db/index.ts";
import type { Scope } from "../db/index.ts";
import { emit, liveEntries } from "./emit.ts";
import type { Event } from "./emit.ts";
import type { PublishEvents } from "./publisher.ts";
import { traceEvents } from "./trace_events.ts";

/** The result of a write and the events that it caused. */
export type Written<T> = { result: T; events: readonly Event[] };

export type CommitOptions = {
  /** False: the business is known to have no endpoint. */
  hasWebhooks?: boolean;
};

/**
 * Commits a write together with the webhook deliveries of its events, then publishes them. Without endpoints no
 * transaction is opened: `write` runs in the scope as it is.
 */
export async function commitWithEvents<S extends Scope, T>(
  publish: PublishEvents,
  scope: S,
  write: (tx: S) => Promise<Written<T>>,
  { hasWebhooks = true }: CommitOptions = {},
): Promise<T> {
  if (!hasWebhooks) {
    const { result, events } = await write(scope);
    traceEvents(events);
    await publish({ entries: liveEntries(events) });
    return result;
  }
  const { result, emitted } = await atomically(scope, async (tx) => {
    const { result, events } = await write(tx);
    return { result, emitted: await emit(tx, events) };
  });
  await publish(emitted);
  return result;
}
