import { sql } from "../client/literal.ts";
import type { Business } from "../schema.ts";
import type { BusinessScope } from "../scope.ts";

/** The business itself; undefined when there is none, or it was deleted. */
export async function getBusiness(scope: BusinessScope): Promise<Business | undefined> {
  const [business] = await scope.ask<Business[]>(
    sql`select * from businesses where id = ${scope.businessId} and deleted_at is null`,
  );
  return business;
}
