import { getWebhook } from "../../../../lib/db/index.ts";
import type { BusinessScope, Webhook } from "../../../../lib/db/index.ts";
import { parseId } from "../../http/params.ts";
import { noSuch } from "../../http/problem.ts";

/** Throws "not_found" if the business has no such webhook. */
export async function findWebhook(scope: BusinessScope, webhookId: string): Promise<Webhook> {
  const id = parseId(webhookId);
  const webhook = id === undefined ? undefined : await getWebhook(scope, id);
  if (!webhook) throw noSuch("webhook");
  return webhook;
}
