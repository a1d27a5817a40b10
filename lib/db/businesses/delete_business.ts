import type { BusinessScope } from "../scope.ts";

/**
 * Deletes a business: no caller finds it, its keys end and its queued messages fail, all in one transaction. Returns
 * whether it existed. Its rows stay until retention removes them.
 */
export function deleteBusiness(scope: BusinessScope): Promise<boolean> {
  return scope.run(async (sql) => {
    const deleted = await sql`
      update businesses set deleted_at = now(), updated_at = now() where id = ${scope.businessId}
        and deleted_at is null`;
    if (deleted.count === 0) return false;
    await sql`update api_keys set revoked_at = now() where business_id = ${scope.businessId} and revoked_at is null`;
    // The numbers belong to the carrier account, which may assign them to another business.
    await sql`delete from phone_numbers where business_id = ${scope.businessId}`;
    await sql`delete from whatsapp_sessions where business_id = ${scope.businessId}`;
    await sql`
      update broadcasts set status = 'cancelled', ended_at = now(), updated_at = now()
      where business_id = ${scope.businessId} and status not in ('completed', 'cancelled')`;
    await sql`
      update messages
      set status = 'failed', failed_at = now(), next_attempt_at = null, wait_reason = null,
          error_code = 'business_deleted', error_message = 'The business was deleted before it could be sent.'
      where business_id = ${scope.businessId} and status = 'queued'`;
    return true;
  });
}
