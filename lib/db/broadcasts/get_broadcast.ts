import { and, eq } from "drizzle-orm";
import { fetchRows, query } from "../query.ts";
import type { BusinessScope } from "../scope.ts";
import { broadcasts } from "./schema.ts";
import type { Broadcast } from "./schema.ts";

export async function getBroadcast(scope: BusinessScope, id: string): Promise<Broadcast | undefined> {
  const [broadcast] = await fetchRows(
    scope,
    query
      .select()
      .from(broadcasts)
      .where(and(eq(broadcasts.id, id), eq(broadcasts.business_id, scope.businessId))),
  );
  return broadcast;
}
