import type { JobName, Payload, Producer, WakeOptions } from "../../../lib/queues/index.ts";
import type { Logger } from "../../../lib/runtime/log.ts";
import type { Metrics } from "../../../lib/runtime/metrics.ts";

/** Each returns at once and never throws: a sweep finds what was not said. */
export type WakeUps = {
  /** Says that the outbox of a business has work. */
  outbox(businessId: string): void;
  /** Says that what a business's messages have waited for, its broadcasts' too, is no longer in their way. */
  outboxUnblocked(businessId: string): void;
  /** Says that an endpoint has something to be told. */
  webhook(webhookId: string): void;
  /** Says that a broadcast has something to be done. */
  broadcast(broadcastId: string): void;
  /** Says that an uploaded file is to be looked into. */
  description(businessId: string, mediaId: string): void;
  /** Says that a move is to be carried out. */
  move(moveId: string): void;
  /** Resolves when every wake-up said so far has been handed over or has failed. */
  settled(): Promise<void>;
};

/**
 * Wake-ups after a commit. While one for the same thing is on its way, any number of further ones become a single
 * one behind it: it begins after their commits, and that is all a wake-up has to do.
 */
export function createWakeUps(producer: Pick<Producer, "wake">, logger: Logger, metrics: Metrics): WakeUps {
  const failures = metrics.counter("api_wake_up_failures_total", "Wake-ups that could not be handed to Redis.");
  const underWay = new Map<string, Promise<void>>();
  const again = new Set<string>();

  const wake = async <J extends JobName>(
    id: string,
    job: J,
    payload: Payload<J>,
    options?: WakeOptions,
  ): Promise<void> => {
    do {
      again.delete(id);
      try {
        await producer.wake(job, payload, options);
      } catch (error) {
        failures.inc();
        logger.warn({ error, job, payload }, "wake-up failed; the sweep will find the work");
      }
    } while (again.has(id));
    underWay.delete(id);
  };
  const say = <J extends JobName>(id: string, job: J, payload: Payload<J>, options?: WakeOptions): void => {
    if (underWay.has(id)) again.add(id);
    else underWay.set(id, wake(id, job, payload, options));
  };

  return {
    // Ids are unique over all kinds of things.
    outbox: (business_id) => say(business_id, "send", { business_id }),
    // By names of their own: a plain wake-up on its way does not end a wait.
    outboxUnblocked: (business_id) => {
      say(`${business_id} unblocked`, "send", { business_id }, { expedite: true });
      say(`${business_id} broadcasts unblocked`, "send_broadcasts", { business_id }, { expedite: true });
    },
    webhook: (webhook_id) => say(webhook_id, "deliver", { webhook_id }),
    // Its obstacle may be gone: a pace, a pause.
    broadcast: (broadcast_id) => say(broadcast_id, "broadcast", { broadcast_id }, { expedite: true }),
    description: (business_id, media_id) => say(media_id, "describe_media", { business_id, media_id }),
    move: (move_id) => say(move_id, "move", { move_id }),
    settled: async () => {
      await Promise.all(underWay.values());
    },
  };
}
