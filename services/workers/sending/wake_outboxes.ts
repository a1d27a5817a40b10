import type { Deps } from "../deps.ts";

/**
 * Re-enqueues both outboxes of each business after a blocker clears. Best effort: the sweep retries lost wake-ups.
 */
export async function wakeOutboxes(
  { producer }: Pick<Deps, "producer">,
  businessIds: readonly string[],
): Promise<void> {
  await Promise.allSettled(
    businessIds.flatMap((business_id) => [
      producer.wake("send", { business_id }, { expedite: true }),
      producer.wake("send_broadcasts", { business_id }, { expedite: true }),
    ]),
  );
}
