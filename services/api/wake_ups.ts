import type { Producer } from "../../lib/queues/index.ts";
import type { Logger } from "../../lib/runtime/log.ts";
import type { Metrics } from "../../lib/runtime/metrics.ts";

export type WakeUps = {
  /** Says that the outbox of a business has work. Returns at once and never throws: a sweep finds what was not said. */
  outbox(businessId: string): void;
  /** Resolves when every wake-up said so far has been handed over or has failed. */
  settled(): Promise<void>;
};

/**
 * Wake-ups after a commit. While one for a business is on its way, any number of further ones become a single
 * one behind it: it begins after their commits, and that is all a wake-up has to do.
 */
export function createWakeUps(producer: Pick<Producer, "wake">, logger: Logger, metrics: Metrics): WakeUps {
  const failures = metrics.counter("api_wake_up_failures_total", "Wake-ups that could not be handed to Redis.");
  const underWay = new Map<string, Promise<void>>();
  const again = new Set<string>();

  const wake = async (businessId: string): Promise<void> => {
    do {
      again.delete(businessId);
      try {
        await producer.wake("send", { business_id: businessId });
      } catch (error) {
        failures.inc();
        logger.warn({ error, business_id: businessId }, "wake-up failed; the sweep will find the message");
      }
    } while (again.has(businessId));
    underWay.delete(businessId);
  };

  return {
    outbox: (businessId) => {
      if (underWay.has(businessId)) again.add(businessId);
      else underWay.set(businessId, wake(businessId));
    },
    settled: async () => {
      await Promise.all(underWay.values());
    },
  };
}
