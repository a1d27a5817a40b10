import { and, eq, inArray, isNull } from "drizzle-orm";
import { fetchRows, query } from "../query.ts";
import type { PlatformScope } from "../scope.ts";
import { businesses } from "./schema.ts";

/** Those of the businesses that want the statuses of their contacts. */
export async function listStatusReceivers(scope: PlatformScope, ids: readonly string[]): Promise<string[]> {
  if (ids.length === 0) return [];
  const rows = await fetchRows(
    scope,
    query
      .select({ id: businesses.id })
      .from(businesses)
      .where(
        and(inArray(businesses.id, [...ids]), eq(businesses.receive_statuses, true), isNull(businesses.deleted_at)),
      ),
  );
  return rows.map(({ id }) => id);
}
