import { sql } from "../client/literal.ts";
import type { Business } from "../schema.ts";
import type { BusinessScope } from "../scope.ts";

export type Sender = Pick<Business, "id" | "whatsapp_shard" | "whatsapp_move" | "pacing"> & {
  /** True if it has an endpoint that is not disabled: without one, sending writes no deliveries. */
  hasWebhooks: boolean;
};

/** The fields that sending needs; undefined if the business does not exist or was deleted. */
export async function getSender(scope: BusinessScope): Promise<Sender | undefined> {
  const [sender] = await scope.ask<Sender[]>(sql`
    select b.id, b.whatsapp_shard, b.whatsapp_move, b.pacing,
           exists (
             select from webhooks w where w.business_id = b.id and w.deleted_at is null and w.status <> 'disabled'
           ) as "hasWebhooks"
    from businesses b where b.id = ${scope.businessId} and b.deleted_at is null`);
  return sender;
}
