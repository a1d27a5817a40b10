import type { SSEStreamingApi } from "hono/streaming";
import { sleep } from "../../../lib/core/time.ts";
import type { Subscription } from "../../../lib/events/index.ts";

/** Something that is so now: not an event in the streams, and told again to whoever comes back. */
export type Present = { event: string; data: Record<string, unknown> };

/** Gives what is so now where it differs from the last time; `null` where it does not. */
export type Watch = { everyMs: number; look: () => Promise<Present | null> | Present | null };

/** Below the 60 s after which proxies and Bun take a silent connection for dead. */
const heartbeatMs = 15_000;
/** How long a browser waits before it reconnects. */
const retryMs = 2_000;

export type Telling = {
  subscription: Subscription & { over(): void };
  watch?: Watch | undefined;
  /** Whether the caller may still watch: its key may end in the middle. Asked at every heartbeat. */
  mayStay: () => Promise<boolean>;
};

/** Writes a subscription's events to a stream until either ends. */
export async function tellEvents(sse: SSEStreamingApi, { subscription, watch, mayStay }: Telling): Promise<void> {
  const gone = new AbortController();
  const end = () => {
    gone.abort();
    subscription.close();
  };
  sse.onAbort(end);
  const repeat = async (everyMs: number, act: () => Promise<void>) => {
    try {
      for (;;) {
        await act();
        await sleep(everyMs, gone.signal);
      }
    } catch {
      // The caller hung up, or the stream is over.
    }
  };
  const beating = repeat(heartbeatMs, async () => {
    if (!(await mayStay())) return end();
    await sse.write(`retry: ${retryMs}\n\n`);
  });
  const watching = watch && repeat(watch.everyMs, () => lookAndTell(sse, watch));
  try {
    for (let item = await subscription.next(); item !== undefined; item = await subscription.next()) {
      if (item.id === null) {
        await sse.writeSSE({ event: item.event, data: "{}" });
      } else {
        const { id, event, ...rest } = item;
        await sse.writeSSE({ id, event, data: JSON.stringify(rest) });
      }
    }
  } finally {
    end();
    subscription.over();
    await Promise.all([beating, watching]);
  }
}

async function lookAndTell(sse: SSEStreamingApi, watch: Watch): Promise<void> {
  const present = await watch.look();
  if (present) await sse.writeSSE({ event: present.event, data: JSON.stringify(present.data) });
}
