import type { Webhook } from "../schema.ts";
import type { BusinessScope } from "../scope.ts";

/** Puts a new secret in place of the present one, which goes on signing for `overlapS` seconds; undefined when there is no such endpoint. */
export async function rotateWebhookSecret(
  scope: BusinessScope,
  id: string,
  secret: string,
  overlapS: number,
): Promise<Webhook | undefined> {
  const [webhook] = await scope.run(
    (sql) => sql<Webhook[]>`
      update webhooks
      set previous_secret = case when ${overlapS}::integer > 0 then secret end,
          previous_secret_until = case when ${overlapS}::integer > 0 then now() + make_interval(secs => ${overlapS}::integer) end,
          secret = ${secret}, updated_at = now()
      where id = ${id} and business_id = ${scope.businessId} and deleted_at is null
      returning *`,
  );
  return webhook;
}
