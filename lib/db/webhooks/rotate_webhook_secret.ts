import { sql } from "drizzle-orm";
import { fetchRows, now, query } from "../query.ts";
import type { BusinessScope } from "../scope.ts";
import { ownWebhook } from "./get_webhook.ts";
import { webhooks } from "./schema.ts";
import type { Webhook } from "./schema.ts";

/** Replaces the secret; the old one keeps signing for `overlapS` seconds. Undefined if the webhook does not exist. */
export async function rotateWebhookSecret(
  scope: BusinessScope,
  id: string,
  secret: string,
  overlapS: number,
): Promise<Webhook | undefined> {
  const overlaps = overlapS > 0;
  const [webhook] = await fetchRows(
    scope,
    query
      .update(webhooks)
      .set({
        previous_secret: overlaps ? sql`${webhooks.secret}` : null,
        previous_secret_until: overlaps ? sql`now() + make_interval(secs => ${overlapS}::integer)` : null,
        secret,
        updated_at: now,
      })
      .where(ownWebhook(scope, id))
      .returning(),
  );
  return webhook;
}
