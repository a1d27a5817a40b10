import { and, eq, isNull } from "drizzle-orm";
import { fetchRows, now, query } from "../query.ts";
import { atomically } from "../scope.ts";
import type { BusinessScope } from "../scope.ts";
import { businesses } from "./schema.ts";
import type { Business } from "./schema.ts";

export type BusinessChanges = {
  name?: string | undefined;
  time_zone?: string | undefined;
  receive_statuses?: boolean | undefined;
  device_name?: string | null | undefined;
};

/**
 * Updates the given fields; undefined if the business does not exist. `check` sees the locked business and may throw to
 * refuse the update.
 */
export function updateBusiness(
  scope: BusinessScope,
  { name, time_zone, receive_statuses, device_name }: BusinessChanges,
  check: (current: Business) => void = () => {},
): Promise<Business | undefined> {
  return atomically(scope, async (inner) => {
    const own = eq(businesses.id, inner.businessId);
    const [current] = await fetchRows(
      inner,
      query
        .select()
        .from(businesses)
        .where(and(own, isNull(businesses.deleted_at)))
        .for("update"),
    );
    if (!current) return undefined;
    check(current);
    const [updated] = await fetchRows(
      inner,
      query
        .update(businesses)
        .set({ name, time_zone, receive_statuses, device_name, updated_at: now })
        .where(own)
        .returning(),
    );
    return updated;
  });
}
