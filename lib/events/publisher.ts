import type { Emitted } from "./emit.ts";
import type { LiveStream } from "./live_stream.ts";

/** Does the after-commit work of `emit`. Never throws: the facts are committed, and the sweep wakes endpoints later. */
export type PublishEvents = (emitted: Partial<Emitted>) => Promise<void>;

export type PublisherOptions = {
  stream: LiveStream;
  /** Enqueues the delivery job of an endpoint. */
  wakeWebhook: (webhookId: string) => Promise<unknown> | void;
  /** Called with the number of entries that no live stream received. */
  onError: (error: unknown, entries: number) => void;
};

export function createEventPublisher({ stream, wakeWebhook, onError }: PublisherOptions): PublishEvents {
  return async ({ webhookIds = [], entries = [] }) => {
    const wakes = Promise.allSettled(webhookIds.map(async (id) => wakeWebhook(id)));
    await stream.append(entries).catch((error: unknown) => onError(error, entries.length));
    await wakes;
  };
}
