import { Queue } from "bullmq";
import type { Redis } from "ioredis";
import { AppError } from "../core/errors.ts";
import type { QueueName } from "./definitions.ts";

/** All our keys of BullMQ begin with this. */
export const queuePrefix = "prosaas";

/** Events are read by nobody (metrics and log lines come from the workers); a few are kept for an operator's eye. */
const keptEvents = 1_000;

/** How long the first use of a queue waits for Redis; later ones go by the limits of the connection. */
const connectMs = 2_000;

type Opened = { queue: Queue; ready: boolean };
const opened = new WeakMap<Redis, Map<QueueName, Opened>>();

/**
 * The client side of a queue on this connection; made once a connection, closed by {@link closeQueues}.
 * Throws "unavailable" while Redis was never reached.
 */
export async function queueOn(redis: Redis, name: QueueName): Promise<Queue> {
  const entry = entryOf(redis, name);
  if (!entry.ready) {
    await within(connectMs, entry.queue.waitUntilReady()).catch((error: unknown) => {
      forget(redis, name, entry);
      throw error;
    });
    entry.ready = true;
  }
  return entry.queue;
}

/** BullMQ begins once: a queue whose beginning fell into an outage would refuse everything for ever. The next use makes another. */
function forget(redis: Redis, name: QueueName, entry: Opened): void {
  const queues = opened.get(redis);
  if (queues?.get(name) !== entry) return;
  queues.delete(name);
  void entry.queue.close().catch(() => {});
}

/** Lets go of a connection's queues; the connection itself belongs to who made it. */
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
  // A connection's troubles are reported by the connection; without a listener they would end the process.
  queue.on("error", () => {});
  const entry = { queue, ready: false };
  queues.set(name, entry);
  return entry;
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new AppError("unavailable", "Redis cannot be reached at present; try again shortly.")),
    ms,
  );
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
