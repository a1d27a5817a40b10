import type { JobName, Payload, Producer, WakeOptions } from "../../../lib/queues/index.ts";
import type { Logger } from "../../../lib/runtime/log.ts";
import type { Metrics } from "../../../lib/runtime/metrics.ts";

/** Enqueues wake-ups. Each call returns at once and never throws: the sweep finds the work of a lost wake-up. */
export type WakeUps = {
  /** The urgent outbox of a business has work. */
  outbox(businessId: string): void;
  /** The obstacle that both outboxes of a business waited for is gone. */
  outboxUnblocked(businessId: string): void;
  /** A webhook has pending deliveries. */
  webhook(webhookId: string): void;
  /** A broadcast has changed. */
  broadcast(broadcastId: string): void;
  /** A business uploaded a file, which needs its dimensions and thumbnail. */
  describeMedia(businessId: string): void;
  /** A move was requested. */
  move(moveId: string): void;
  /** The replay of quarantined entries was requested. */
  replayQuarantine(): void;
  /** Resolves when every wake-up in flight has been enqueued or has failed. */
  settled(): Promise<void>;
};

/**
 * Coalesces wake-ups: while one with the same id is in flight, any number of further ones become a single one after it.
 * It runs after all of their commits, so it sees all of their work.
 */
export function createWakeUps(producer: Pick<Producer, "wake">, logger: Logger, metrics: Metrics): WakeUps {
  const failures = metrics.counter("api_wake_up_failures_total", "Wake-ups that could not be enqueued in Redis.");
  const inFlight = new Map<string, Promise<void>>();
  const repeat = new Set<string>();

  const send = async <J extends JobName>(
    id: string,
    job: J,
    payload: Payload<J>,
    options?: WakeOptions,
  ): Promise<void> => {
    do {
      repeat.delete(id);
      try {
        await producer.wake(job, payload, options);
      } catch (error) {
        failures.inc();
        logger.warn({ error, job, payload }, "wake-up not enqueued; the sweep will find the work");
      }
    } while (repeat.has(id));
    inFlight.delete(id);
  };
  const enqueue = <J extends JobName>(id: string, job: J, payload: Payload<J>, options?: WakeOptions): void => {
    if (inFlight.has(id)) repeat.add(id);
    else inFlight.set(id, send(id, job, payload, options));
  };

  return {
    // Ids are UUIDs, unique across businesses, webhooks, broadcasts, media and moves.
    outbox: (business_id) => enqueue(business_id, "send", { business_id }),
    // Separate ids, because a plain wake-up in flight does not end a wait.
    outboxUnblocked: (business_id) => {
      enqueue(`${business_id} unblocked`, "send", { business_id }, { expedite: true });
      enqueue(`${business_id} broadcasts unblocked`, "send_broadcasts", { business_id }, { expedite: true });
    },
    webhook: (webhook_id) => enqueue(webhook_id, "deliver", { webhook_id }),
    // Expedited, because the change may have removed the obstacle that the job waits for, such as a pause.
    broadcast: (broadcast_id) => enqueue(broadcast_id, "broadcast", { broadcast_id }, { expedite: true }),
    describeMedia: (business_id) =>
      enqueue(`${business_id} media`, "describe_media", { business_id }, { expedite: true }),
    move: (move_id) => enqueue(move_id, "move", { move_id }),
    replayQuarantine: () => enqueue("replay_quarantine", "replay_quarantine", {}),
    settled: async () => {
      await Promise.all(inFlight.values());
    },
  };
}
