import type { Redis } from "ioredis";
import type { Metrics } from "../runtime/metrics.ts";
import type { QueueName } from "./definitions.ts";
import { queueDepths } from "./depths.ts";
import type { QueueDepth } from "./depths.ts";

/**
 * Exports the depth and the oldest job of queues. Each scrape reads Redis once. A scrape must also succeed while Redis
 * is unavailable: the last known depths then stay, and `onError` is called.
 */
export function exposeQueueDepths(
  metrics: Metrics,
  redis: Redis,
  queues: readonly QueueName[],
  onError: () => void = () => {},
): void {
  let reading: Promise<QueueDepth[]> | undefined;
  const readDepths = () =>
    (reading ??= queueDepths(redis, queues)
      .catch(() => {
        onError();
        return [];
      })
      .finally(() => (reading = undefined)));
  metrics.gauge("queue_depth", "Jobs of a queue, by state.", ["queue", "state"], async (gauge) => {
    for (const { queue, waiting, active, delayed, dead } of await readDepths()) {
      for (const [state, value] of Object.entries({ waiting, active, delayed, dead }))
        gauge.set({ queue, state }, value);
    }
  });
  metrics.gauge("queue_oldest_seconds", "Age of the oldest waiting job.", ["queue"], async (gauge) => {
    for (const { queue, oldestMs } of await readDepths()) gauge.set({ queue }, (oldestMs ?? 0) / 1000);
  });
}
