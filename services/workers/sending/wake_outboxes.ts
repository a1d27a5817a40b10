import type { Deps } from "../deps.ts";

/**
 * Has businesses' messages sent, their broadcasts' too, because what they waited for is no longer in their way. One
 * whose wake-up fails is woken by the sweep.
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
