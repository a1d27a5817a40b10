import { sql } from "../client/literal.ts";
import type { Business } from "../schema.ts";
import type { PlatformScope } from "../scope.ts";

export async function insertBusiness(
  scope: PlatformScope,
  business: Pick<Business, "id" | "name" | "time_zone">,
): Promise<Business> {
  const [inserted] = await scope.ask<[Business]>(sql`
    insert into businesses (id, name, time_zone) values (${business.id}, ${business.name}, ${business.time_zone}) returning *`);
  return inserted;
}
