import { sql } from "../client/literal.ts";
import type { Business } from "../schema.ts";
import type { BusinessScope } from "../scope.ts";

export type Sender = Pick<Business, "id" | "whatsapp_shard" | "whatsapp_move" | "pacing"> & {
  /** Whether any endpoint is told what becomes of its messages. */
  announced: boolean;
};

/** What sending for a business needs to know of it; undefined when there is none, or it was deleted. */
export async function getSender(scope: BusinessScope): Promise<Sender | undefined> {
  const [sender] = await scope.ask<Sender[]>(sql`
    select b.id, b.whatsapp_shard, b.whatsapp_move, b.pacing,
           exists (select from webhooks w where w.business_id = b.id and w.deleted_at is null and w.status <> 'disabled') as announced
    from businesses b where b.id = ${scope.businessId} and b.deleted_at is null`);
  return sender;
}
