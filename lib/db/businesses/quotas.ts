import { and, eq, isNull } from "drizzle-orm";
import { fetchRows, now, query } from "../query.ts";
import type { BusinessScope } from "../scope.ts";
import { businesses } from "./schema.ts";
import type { BusinessQuotas } from "./schema.ts";

const live = ({ businessId }: BusinessScope) => and(eq(businesses.id, businessId), isNull(businesses.deleted_at));

/** The quotas of its own that a business has. Undefined if the business does not exist. */
export async function getQuotas(scope: BusinessScope): Promise<BusinessQuotas | undefined> {
  const [row] = await fetchRows(scope, query.select({ quotas: businesses.quotas }).from(businesses).where(live(scope)));
  return row && (row.quotas ?? {});
}

/** Replaces the quotas of a business. Returns false if it does not exist. */
export async function setQuotas(scope: BusinessScope, quotas: BusinessQuotas): Promise<boolean> {
  const rows = await fetchRows(
    scope,
    query.update(businesses).set({ quotas, updated_at: now }).where(live(scope)).returning({ id: businesses.id }),
  );
  return rows.length > 0;
}
