import { sql } from "../client/literal.ts";
import { atomically } from "../scope.ts";
import type { BusinessScope } from "../scope.ts";
import type { Business } from "../schema.ts";

export type BusinessChanges = { name?: string | undefined; time_zone?: string | undefined };

/**
 * Changes what is given and leaves the rest; undefined when there is no such business. `check` sees the business as it
 * is, locked, and throws if it is not as the caller thought.
 */
export function updateBusiness(
  scope: BusinessScope,
  { name, time_zone }: BusinessChanges,
  check: (present: Business) => void = () => {},
): Promise<Business | undefined> {
  return atomically(scope, async ({ ask, businessId }) => {
    const [present] = await ask<Business[]>(
      sql`select * from businesses where id = ${businessId} and deleted_at is null for update`,
    );
    if (!present) return undefined;
    check(present);
    const [changed] = await ask<Business[]>(sql`
      update businesses
      set name = ${name ?? present.name}, time_zone = ${time_zone ?? present.time_zone}, updated_at = now()
      where id = ${businessId}
      returning *`);
    return changed;
  });
}
