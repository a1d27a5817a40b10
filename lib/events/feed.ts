import type { Redis } from "ioredis";
import { backoff } from "../core/retry.ts";
import { sleep } from "../core/time.ts";
import { answerOf } from "../redis/errors.ts";
import { allEvents, eventsOf, isAfter, limits, placed } from "./event.ts";
import type { PlacedEvent } from "./event.ts";

/** `reset`: events may have been missed; what is shown has to be read anew. */
export type FeedItem = PlacedEvent | { event: "reset"; id: null };

export type Subscription = {
  /** The next items, in order; undefined once the feed or the subscription is closed, or its reader fell too far behind. */
  next(): Promise<FeedItem | undefined>;
  close(): void;
};

export type Feed = {
  /** Events of a business, or of all (null), from the one after `lastId`, or from now on. */
  subscribe(businessId: string | null, lastId: string | undefined): Promise<Subscription>;
  close(): Promise<void>;
};

export type FeedOptions = {
  /** For reading what was. */
  redis: Redis;
  /** A connection of its own, which waits in Redis for what comes. */
  blocking: Redis;
  onError?: (error: unknown) => void;
};

/** A reader that has not taken so many goes, and comes back with the last id it saw. */
const maxQueued = 2_000;
const blockMs = 5_000;

/** One reader of the stream of all in a process, whatever the number of subscriptions, and only while there are any. */
export function createFeed({ redis, blocking, onError = () => {} }: FeedOptions): Feed {
  const queues = new Set<Queue>();
  const over = new AbortController();
  let reading: Promise<void> | undefined;
  let lastId = "$";

  const read = async (): Promise<void> => {
    let failures = 0;
    while (queues.size > 0 && !over.signal.aborted) {
      try {
        const answer = await blocking.xread("COUNT", 500, "BLOCK", blockMs, "STREAMS", allEvents, lastId);
        // Whoever was away may have missed something, and a Redis that lost its data does not even know what.
        if (failures > 0) for (const queue of queues) queue.reset();
        failures = 0;
        for (const entry of answer?.[0]?.[1] ?? []) {
          lastId = entry[0];
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
    // Somebody may have come while the last read was under way.
    if (queues.size > 0 && !over.signal.aborted) reading = read();
  };

  /** Where the stream of all is now: from there on nothing may be missed. */
  const startReading = async (): Promise<void> => {
    if (reading) return;
    const [newest] = await answerOf(redis.xrevrange(allEvents, "+", "-", "COUNT", 1));
    if (reading) return;
    lastId = newest?.[0] ?? "0-0";
    reading = read();
  };

  return {
    subscribe: async (businessId, from) => {
      const queue = createQueue(businessId, () => queues.delete(queue));
      queues.add(queue);
      try {
        await startReading();
        if (from !== undefined) await replay(redis, businessId, from, queue);
      } catch (error) {
        queue.close();
        throw error;
      }
      queue.begin();
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

/** Puts what came after `from` into the queue, after a "reset" where some of it is not kept any more. */
async function replay(redis: Redis, businessId: string | null, from: string, queue: Queue): Promise<void> {
  const stream = businessId === null ? allEvents : eventsOf(businessId);
  const entries = await answerOf(redis.xrange(stream, `(${from}`, "+", "COUNT", maxQueued - 1));
  const [oldest] = await answerOf(redis.xrange(stream, "-", "+", "COUNT", 1));
  const length = await answerOf(redis.xlen(stream));
  const full = length >= (businessId === null ? limits.all : limits.business);
  if (oldest === undefined || (full && isAfter(oldest[0], from))) queue.reset();
  for (const entry of entries) {
    const event = placed(entry);
    if (event) queue.replay(event);
  }
}

type Queue = Subscription & { offer(event: PlacedEvent): void; replay(event: PlacedEvent): void; reset(): void; begin(): void };

function createQueue(businessId: string | null, onClose: () => void): Queue {
  const items: FeedItem[] = [];
  /** What came while the past was being read. */
  let early: PlacedEvent[] | undefined = [];
  let last: string | undefined;
  let closed = false;
  let waiting: (() => void) | undefined;

  const push = (item: FeedItem) => {
    if (item.id !== null) {
      if (last !== undefined && !isAfter(item.id, last)) return;
      last = item.id;
    }
    items.push(item);
    if (items.length > maxQueued) close();
    waiting?.();
  };
  const close = () => {
    if (closed) return;
    closed = true;
    onClose();
    waiting?.();
  };

  return {
    offer: (event) => {
      if (businessId !== null && event.business_id !== businessId) return;
      if (early) early.push(event);
      else push(event);
    },
    replay: push,
    reset: () => push({ event: "reset", id: null }),
    begin: () => {
      const kept = early ?? [];
      early = undefined;
      kept.forEach(push);
    },
    next: async () => {
      while (items.length === 0 && !closed) {
        const { promise, resolve } = Promise.withResolvers<void>();
        waiting = resolve;
        await promise;
      }
      return closed ? undefined : items.shift();
    },
    close,
  };
}
