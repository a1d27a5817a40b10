import { sql } from "../client/literal.ts";
import type { BusinessScope } from "../scope.ts";

/** Counts the broadcasts that a business created within 24 hours; stops counting at `most`. */
export async function createdWithinADay(scope: BusinessScope, most: number): Promise<number> {
  const [row] = await scope.ask<[{ count: number }]>(sql`
    select count(*)::integer as count from (
      select from broadcasts
      where business_id = ${scope.businessId} and id >= uuidv7_floor(now() - interval '24 hours')
      limit ${most}
    ) created`);
  return row.count;
}
