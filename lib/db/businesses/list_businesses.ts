import { and, desc, isNull, lt, sql } from "drizzle-orm";
import { fetchRows, query } from "../query.ts";
import type { PlatformScope } from "../scope.ts";
import { businesses } from "./schema.ts";
import type { Business } from "./schema.ts";

/** Businesses whose name contains `name`, ignoring case, newest first. */
export function listBusinesses(
  scope: PlatformScope,
  { before, limit, name }: { before?: string | undefined; limit: number; name?: string | undefined },
): Promise<Business[]> {
  return fetchRows(
    scope,
    query
      .select()
      .from(businesses)
      .where(
        and(
          isNull(businesses.deleted_at),
          name === undefined ? undefined : sql`position(lower(${name}) in lower(${businesses.name})) > 0`,
          before === undefined ? undefined : lt(businesses.id, before),
        ),
      )
      .orderBy(desc(businesses.id))
      .limit(limit),
  );
}
