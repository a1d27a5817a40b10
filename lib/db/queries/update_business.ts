import type { Business } from "../schema/index.ts";
import type { BusinessScope } from "../scope.ts";

export type BusinessChanges = { name?: string | undefined; time_zone?: string | undefined };

/** Changes what is given and leaves the rest; undefined when there is no such business. */
export async function updateBusiness(scope: BusinessScope, changes: BusinessChanges): Promise<Business | undefined> {
  const [business] = await scope.run(
    (sql) => sql<Business[]>`
      update businesses
      set name = coalesce(${changes.name ?? null}, name), time_zone = coalesce(${changes.time_zone ?? null}, time_zone), updated_at = now()
      where id = ${scope.businessId} and deleted_at is null
      returning *`,
  );
  return business;
}
