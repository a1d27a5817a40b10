import { sql } from "../client/literal.ts";
import type { Broadcast } from "../schema.ts";
import type { BusinessScope } from "../scope.ts";

export async function getBroadcast(scope: BusinessScope, id: string): Promise<Broadcast | undefined> {
  const [broadcast] = await scope.ask<Broadcast[]>(
    sql`select * from broadcasts where id = ${id} and business_id = ${scope.businessId}`,
  );
  return broadcast;
}
