import type { Redis } from "ioredis";
import { messageOf } from "../../../lib/core/errors.ts";
import { createEventPublisher, createLiveStream } from "../../../lib/events/index.ts";
import type { PublishEvents } from "../../../lib/events/index.ts";
import type { Producer } from "../../../lib/queues/index.ts";
import type { Logger } from "../../../lib/runtime/log.ts";

/** Publishes the events of workers: live-stream entries, and a `deliver` job for each endpoint with deliveries. */
export function createWorkerPublisher(redis: Redis, producer: Producer, logger: Logger): PublishEvents {
  return createEventPublisher({
    stream: createLiveStream(redis),
    wakeWebhook: (webhook_id) => producer.wake("deliver", { webhook_id }),
    onError: (error, entries) => logger.warn({ error: messageOf(error), entries }, "live events were not published"),
  });
}
