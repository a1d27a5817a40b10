import type { Deps } from "../deps.ts";

/** Has endpoints told what was announced to them. One whose wake-up fails is woken by the sweep. */
export async function wakeWebhooks({ producer }: Pick<Deps, "producer">, webhooks: readonly string[]): Promise<void> {
  await Promise.allSettled(webhooks.map((webhook_id) => producer.wake("deliver", { webhook_id })));
}
