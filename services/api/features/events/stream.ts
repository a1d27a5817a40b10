import { sleep } from "../../../../lib/core/time.ts";
import type { FeedItem, StreamNotice, Subscription } from "../../../../lib/events/index.ts";

/** Current state that is sent as an event but not stored in the stream. A reader that reconnects gets it again. */
export type Snapshot = { event: StreamNotice; data: Record<string, unknown> };

/** Polls current state. `read` returns null if it has not changed since the last call. */
export type SnapshotSource = { everyMs: number; read: () => Promise<Snapshot | null> | Snapshot | null };

/** Shorter than the 60 s after which proxies and Bun close an idle connection. */
const heartbeatMs = 15_000;
/** How long a browser waits before it reconnects. */
const retryMs = 2_000;

export type EventStreamOptions = {
  subscription: Subscription;
  snapshots?: SnapshotSource | undefined;
  /** True if the caller's key is still valid. Called at every heartbeat. */
  isAuthorized: () => Promise<boolean>;
  /** True if the caller's scopes include an event. */
  isVisible: (event: string) => boolean;
};

const encoder = new TextEncoder();

/**
 * Encodes a subscription as server-sent events, one at a time as the reader pulls, until the subscription ends or
 * `gone` aborts. At most one heartbeat and one snapshot wait for a slow reader.
 */
export async function* encodeEvents(
  { subscription, snapshots, isAuthorized, isVisible }: EventStreamOptions,
  gone: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const notices = new Map<"heartbeat" | "snapshot", string>();
  let item: { next: FeedItem | undefined } | undefined;
  let pulling = false;
  let over = false;
  let wake: (() => void) | undefined;

  const end = () => {
    over = true;
    wake?.();
  };
  gone.addEventListener("abort", end, { once: true });
  const notice = (kind: "heartbeat" | "snapshot", text: string) => {
    notices.set(kind, text);
    wake?.();
  };
  const repeat = async (everyMs: number, action: () => Promise<void>) => {
    try {
      while (!over) {
        await action();
        await sleep(everyMs, gone);
      }
    } catch {
      // The caller hung up, or the stream has ended.
    }
  };
  const pull = () => {
    pulling = true;
    // Ends the stream if past events are no longer stored; the caller reconnects with its last id.
    subscription.next().then((next) => {
      item = { next };
      pulling = false;
      wake?.();
    }, end);
  };

  void repeat(heartbeatMs, async () => {
    if (await isAuthorized()) notice("heartbeat", `retry: ${retryMs}\n\n`);
    else end();
  });
  if (snapshots) {
    void repeat(snapshots.everyMs, async () => {
      const snapshot = await snapshots.read();
      if (snapshot) notice("snapshot", format(snapshot.event, snapshot.data));
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
      if (isVisible(next.event)) yield encoder.encode(formatItem(next));
    } else {
      if (!pulling) pull();
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

/** JSON contains no raw line breaks, so the data fit into one `data:` line. */
function format(event: string, data: object, id?: string): string {
  return `${id === undefined ? "" : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
