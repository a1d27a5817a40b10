import type { Redis } from "ioredis";
import { backoff } from "../core/retry.ts";
import { sleep } from "../core/time.ts";
import { answerOf } from "../redis/errors.ts";
import { allEvents, isAfter, isGap, placed } from "./stream.ts";
import type { StreamedEvent } from "./stream.ts";
import { createReplay } from "./replay.ts";
import type { Replay } from "./replay.ts";

/** `reset`: events may have been missed; a reader fetches what it shows again. */
export type FeedItem = StreamedEvent | { event: "reset"; id: null };

export type Subscription = {
  /**
   * The next items, in order; undefined once the feed or the subscription is closed, or its reader fell too far behind.
   * @throws AppError "unavailable" where past events cannot be read any more.
   */
  next(): Promise<FeedItem | undefined>;
  close(): void;
};

export type Feed = {
  /** Events of a business, or of all (null), from the one after `lastId`, or from now on. */
  subscribe(businessId: string | null, lastId: string | undefined): Promise<Subscription>;
  close(): Promise<void>;
};

export type FeedOptions = {
  /** For reading past events. */
  redis: Redis;
  /** A connection of its own, which blocks in Redis until events come. */
  blocking: Redis;
  onError?: (error: unknown) => void;
};

/** Live events queued for one reader. A slower reader is closed and resumes from its last id. */
const maxQueued = 1_000;
/** Entries of one read, usually 100 KB. */
const pageSize = 500;
const blockMs = 5_000;

/** One reader of the stream of all in a process, whatever the number of subscriptions, and only while there are any. */
export function createFeed({ redis, blocking, onError = () => {} }: FeedOptions): Feed {
  const queues = new Set<Queue>();
  const over = new AbortController();
  let reading: Promise<void> | undefined;
  let lastId = "$";

  const resetAll = () => {
    for (const queue of queues) queue.reset();
  };
  /** True if entries after `id` were trimmed before they were read: a full page hints at a reader that is behind. */
  const isBehind = async (id: string): Promise<boolean> => {
    const [oldest] = await redis.xrange(allEvents, "-", "+", "COUNT", 1);
    return oldest !== undefined && isAfter(oldest[0], id);
  };

  const read = async (): Promise<void> => {
    let failures = 0;
    while (queues.size > 0 && !over.signal.aborted) {
      try {
        const answer = await blocking.xread("COUNT", pageSize, "BLOCK", blockMs, "STREAMS", allEvents, lastId);
        const entries = answer?.[0]?.[1] ?? [];
        // After an outage events may be missing, and a Redis that lost its data does not even know which.
        if (failures > 0 || (entries.length === pageSize && (await isBehind(lastId)))) resetAll();
        failures = 0;
        for (const entry of entries) {
          lastId = entry[0];
          if (isGap(entry)) resetAll();
          const event = placed(entry);
          if (event) for (const queue of queues) queue.offer(event);
        }
      } catch (error) {
        failures += 1;
        if (over.signal.aborted) break;
        onError(error);
        await sleep(backoff({ attempt: failures, baseMs: 100, maxMs: 2_000 }), over.signal).catch(() => {});
      }
    }
    reading = undefined;
    // A subscription may have been added during the last read.
    if (queues.size > 0 && !over.signal.aborted) reading = read();
  };

  /** Starts at the present end of the stream of all: from there on nothing may be missed. */
  const startReading = async (): Promise<void> => {
    if (reading) return;
    const [newest] = await answerOf(redis.xrevrange(allEvents, "+", "-", "COUNT", 1));
    if (reading) return;
    lastId = newest?.[0] ?? "0-0";
    reading = read();
  };

  return {
    subscribe: async (businessId, from) => {
      const replay = from === undefined ? undefined : createReplay(redis, businessId, from);
      const queue = createQueue(businessId, replay, () => queues.delete(queue));
      queues.add(queue);
      try {
        await startReading();
        await queue.begin();
      } catch (error) {
        queue.close();
        throw error;
      }
      return queue;
    },
    close: async () => {
      over.abort();
      for (const queue of queues) queue.close();
      blocking.disconnect();
      await reading;
    },
  };
}

type Queue = Subscription & { offer(event: StreamedEvent): void; reset(): void; begin(): Promise<void> };

/**
 * The items of one subscription. While it replays, past events are read a page at a time as the reader takes them, and
 * live events are dropped: the next page has them. During the read of a page they are kept, because that page may be
 * the last one.
 */
function createQueue(businessId: string | null, replay: Replay | undefined, onClose: () => void): Queue {
  let items: FeedItem[] = [];
  /** Live events since the read of the present page began. */
  let early: StreamedEvent[] = [];
  /** More came than are kept: the next page has them too. */
  let overflowed = false;
  let replaying = replay !== undefined;
  let last: string | undefined;
  let closed = false;
  let waiting: (() => void) | undefined;

  const close = () => {
    if (closed) return;
    closed = true;
    items = [];
    early = [];
    onClose();
    waiting?.();
  };
  const push = (item: FeedItem) => {
    if (item.id !== null) {
      if (last !== undefined && !isAfter(item.id, last)) return;
      last = item.id;
    } else if (items.at(-1)?.id === null) return;
    items.push(item);
    if (items.length > maxQueued) close();
    waiting?.();
  };
  const readPage = async (): Promise<void> => {
    early = [];
    overflowed = false;
    const page = await replay!.next();
    if (page.missed) push({ event: "reset", id: null });
    page.events.forEach(push);
    if (!page.isLast || overflowed) return;
    replaying = false;
    early.forEach(push);
    early = [];
  };

  return {
    offer: (event) => {
      if (businessId !== null && event.business_id !== businessId) return;
      if (!replaying) push(event);
      else if (early.length < maxQueued) early.push(event);
      else overflowed = true;
    },
    reset: () => push({ event: "reset", id: null }),
    begin: async () => {
      if (replaying) await readPage();
    },
    next: async () => {
      while (items.length === 0 && !closed) {
        if (replaying) {
          await readPage();
          continue;
        }
        const { promise, resolve } = Promise.withResolvers<void>();
        waiting = resolve;
        await promise;
      }
      return closed ? undefined : items.shift();
    },
    close,
  };
}
