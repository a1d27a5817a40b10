import { Queue } from "bullmq";
import type { Redis } from "ioredis";
import { AppError } from "../core/errors.ts";
import { within } from "../core/time.ts";
import type { QueueName } from "./definitions.ts";

/** The prefix of all our BullMQ keys. */
export const queuePrefix = "prosaas";

/** BullMQ events kept in Redis for an operator to inspect. No program reads them. */
const keptEvents = 1_000;

/** Timeout of a queue's first use. Later uses have the timeouts of the connection. */
const connectMs = 2_000;

type Opened = { queue: Queue; ready: boolean };
const opened = new WeakMap<Redis, Map<QueueName, Opened>>();

/**
 * Returns the client side of a queue on this connection. It is created once per connection and closed by
 * {@link closeQueues}.
 * @throws AppError "unavailable" until Redis was reached once.
 */
export async function queueOn(redis: Redis, name: QueueName): Promise<Queue> {
  const entry = entryOf(redis, name);
  if (!entry.ready) {
    await within(connectMs, entry.queue.waitUntilReady(), redisIsUnavailable).catch((error: unknown) => {
      forget(redis, name, entry);
      throw error;
    });
    entry.ready = true;
  }
  return entry.queue;
}

/**
 * Drops a queue that failed to initialize, so that the next use creates another. BullMQ initializes a queue only once:
 * after a failure it would reject every command permanently.
 */
function forget(redis: Redis, name: QueueName, entry: Opened): void {
  const queues = opened.get(redis);
  if (queues?.get(name) !== entry) return;
  queues.delete(name);
  void entry.queue.close().catch(() => {});
}

/** Closes a connection's queues. The connection itself stays open; its creator closes it. */
export async function closeQueues(redis: Redis): Promise<void> {
  const entries = [...(opened.get(redis)?.values() ?? [])];
  opened.delete(redis);
  await Promise.all(entries.map(({ queue }) => queue.close()));
}

function entryOf(redis: Redis, name: QueueName): Opened {
  const queues = opened.get(redis) ?? new Map<QueueName, Opened>();
  opened.set(redis, queues);
  const known = queues.get(name);
  if (known !== undefined) return known;
  const queue = new Queue(name, {
    connection: redis,
    prefix: queuePrefix,
    streams: { events: { maxLen: keptEvents } },
  });
  // The connection reports its own errors. Without a listener here they would end the process.
  queue.on("error", () => {});
  const entry = { queue, ready: false };
  queues.set(name, entry);
  return entry;
}

const redisIsUnavailable = () => new AppError("unavailable", "Redis is unavailable. Retry shortly.");
