import type { BusinessScope } from "../scope.ts";

/** Ends a key of the business; returns whether there was one that still worked. */
export async function revokeKey(scope: BusinessScope, id: string): Promise<boolean> {
  const revoked = await scope.run(
    (sql) => sql`
      update api_keys set revoked_at = now()
      where id = ${id} and business_id = ${scope.businessId} and revoked_at is null`,
  );
  return revoked.count > 0;
}
