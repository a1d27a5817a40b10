import { toJson } from "../client/json.ts";
import { sql } from "../client/literal.ts";
import { atomically } from "../scope.ts";
import type { BusinessScope } from "../scope.ts";
import type { Business } from "../schema.ts";
import { dueNow } from "./due_now.ts";
import { isPaced } from "./paced.ts";

/** Sets the sending pace of a business and makes its paced messages due. Undefined if the business does not exist. */
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

/** Makes every paced message due, so that the shard decides about it again. */
export async function releasePaced(scope: BusinessScope): Promise<void> {
  await scope.ask(sql`
    update messages set next_attempt_at = ${dueNow}, wait_reason = null
    where business_id = ${scope.businessId} and ${isPaced}`);
}
