import { sleep } from "../../../../lib/core/time.ts";
import type { FeedItem, StreamNotice, Subscription } from "../../../../lib/events/index.ts";

/** Something that is so now: not an event in the streams, and sent again to a reader that comes back. */
export type Present = { event: StreamNotice; data: Record<string, unknown> };

/** Gives what is so now where it differs from the last time; `null` where it does not. */
export type Watch = { everyMs: number; look: () => Promise<Present | null> | Present | null };

/** Below the 60 s after which proxies and Bun close a silent connection. */
const heartbeatMs = 15_000;
/** How long a browser waits before it reconnects. */
const retryMs = 2_000;

export type Telling = {
  subscription: Subscription;
  watch?: Watch | undefined;
  /** Whether the caller may still watch: its key may end meanwhile. Asked at every heartbeat. */
  mayStay: () => Promise<boolean>;
  /** Whether the caller's scopes cover an event. */
  sees: (event: string) => boolean;
};

const encoder = new TextEncoder();

/**
 * Server-sent events of a subscription, encoded one at a time as they are asked for, until the subscription ends or `gone`
 * aborts. Of heartbeats and present states at most one each waits for the reader.
 */
export async function* tellEvents(
  { subscription, watch, mayStay, sees }: Telling,
  gone: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const notices = new Map<"heartbeat" | "present", string>();
  let item: { next: FeedItem | undefined } | undefined;
  let asking = false;
  let over = false;
  let wake: (() => void) | undefined;

  const end = () => {
    over = true;
    wake?.();
  };
  gone.addEventListener("abort", end, { once: true });
  const notice = (kind: "heartbeat" | "present", text: string) => {
    notices.set(kind, text);
    wake?.();
  };
  const repeat = async (everyMs: number, act: () => Promise<void>) => {
    try {
      while (!over) {
        await act();
        await sleep(everyMs, gone);
      }
    } catch {
      // The caller hung up, or the stream is over.
    }
  };
  const ask = () => {
    asking = true;
    // Past events that cannot be read any more: the caller reconnects with the last id it has.
    subscription.next().then((next) => {
      item = { next };
      asking = false;
      wake?.();
    }, end);
  };

  void repeat(heartbeatMs, async () => {
    if (await mayStay()) notice("heartbeat", `retry: ${retryMs}\n\n`);
    else end();
  });
  if (watch) {
    void repeat(watch.everyMs, async () => {
      const present = await watch.look();
      if (present) notice("present", format(present.event, present.data));
    });
  }
  while (!over) {
    const [kind] = notices.keys();
    if (kind !== undefined) {
      const text = notices.get(kind)!;
      notices.delete(kind);
      yield encoder.encode(text);
    } else if (item !== undefined) {
      const { next } = item;
      item = undefined;
      if (next === undefined) break;
      if (sees(next.event)) yield encoder.encode(formatItem(next));
    } else {
      if (!asking) ask();
      const { promise, resolve } = Promise.withResolvers<void>();
      wake = resolve;
      await promise;
    }
  }
  over = true;
}

function formatItem(item: FeedItem): string {
  if (item.id === null) return format(item.event, {});
  const { id, event, ...rest } = item;
  return format(event, rest, id);
}

/** The data are JSON, which has no line breaks of its own. */
function format(event: string, data: object, id?: string): string {
  return `${id === undefined ? "" : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
