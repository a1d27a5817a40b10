import { messageOf } from "../../../lib/core/errors.ts";
import { createEventPublisher } from "../../../lib/events/index.ts";
import type { PublishEvents } from "../../../lib/events/index.ts";
import type { ApiDependencies } from "./dependencies.ts";
import type { WakeUps } from "./wake_ups.ts";

/** Publishes events without holding up the response: a request never waits for a live stream. */
export function createApiPublisher(
  { liveStream: stream, logger }: Pick<ApiDependencies, "liveStream" | "logger">,
  wakeUps: WakeUps,
): PublishEvents {
  const publish = createEventPublisher({
    stream,
    wakeWebhook: wakeUps.webhook,
    onError: (error, entries) => logger.warn({ error: messageOf(error), entries }, "live events were not published"),
  });
  return async (emitted) => void publish(emitted);
}
