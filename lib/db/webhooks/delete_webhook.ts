import type { BusinessScope } from "../scope.ts";

/** Takes an endpoint away; what was still to be delivered to it is dead. Returns whether there was one. */
export function deleteWebhook(scope: BusinessScope, id: string): Promise<boolean> {
  return scope.run(async (sql) => {
    const deleted = await sql`
      update webhooks set deleted_at = now(), updated_at = now()
      where id = ${id} and business_id = ${scope.businessId} and deleted_at is null`;
    if (deleted.count === 0) return false;
    await sql`
      update webhook_deliveries set status = 'dead', next_attempt_at = null, last_error = 'The endpoint was deleted.'
      where webhook_id = ${id} and business_id = ${scope.businessId} and status = 'pending'`;
    return true;
  });
}
