import { toJson } from "../client/json.ts";
import { sql } from "../client/literal.ts";
import { atomically } from "../scope.ts";
import type { BusinessScope } from "../scope.ts";
import type { Business } from "../schema.ts";
import { dueNow } from "./due_now.ts";
import { isPaced } from "./paced.ts";

/** Sets how fast a business may send; what waits under the old limits waits no longer. Undefined when there is no such business. */
export function setPacing(scope: BusinessScope, pacing: Business["pacing"]): Promise<Business | undefined> {
  return atomically(scope, async (inside) => {
    const [business] = await inside.ask<Business[]>(sql`
      update businesses set pacing = ${pacing === null ? null : toJson(pacing)}, updated_at = now()
      where id = ${scope.businessId} and deleted_at is null
      returning *`);
    if (business) await releasePaced(inside);
    return business;
  });
}

/** Lets the shard be asked again at once for every message that it said must wait for its turn. */
export async function releasePaced(scope: BusinessScope): Promise<void> {
  await scope.ask(sql`
    update messages set next_attempt_at = ${dueNow}
    where business_id = ${scope.businessId} and ${isPaced}`);
}
