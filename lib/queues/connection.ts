import { Queue } from "bullmq";
import type { Redis } from "ioredis";
import { queueNames } from "./definitions.ts";
import type { QueueName } from "./definitions.ts";

/** All our keys of BullMQ begin with this. */
export const queuePrefix = "prosaas";

/** Events are read by nobody (metrics and log lines come from the workers); a few are kept for an operator's eye. */
const keptEvents = 1_000;

const opened = new WeakMap<Redis, Map<QueueName, Queue>>();

/** The client side of a queue on this connection; made once a connection, closed by {@link closeQueues}. */
export function queueOn(redis: Redis, name: QueueName): Queue {
  const queues = opened.get(redis) ?? new Map<QueueName, Queue>();
  opened.set(redis, queues);
  let queue = queues.get(name);
  if (queue === undefined) {
    queue = new Queue(name, {
      connection: redis,
      prefix: queuePrefix,
      // A producer must not wait for a Redis that is away: its connection's own limits decide.
      skipWaitingForReady: true,
      streams: { events: { maxLen: keptEvents } },
    });
    // A connection's troubles are reported by the connection; without a listener they would end the process.
    queue.on("error", () => {});
    queues.set(name, queue);
  }
  return queue;
}

/** Lets go of a connection's queues; the connection itself belongs to who made it. */
export async function closeQueues(redis: Redis): Promise<void> {
  const queues = opened.get(redis);
  opened.delete(redis);
  await Promise.all(queueNames.map((name) => queues?.get(name)?.close()));
}
