import { and, eq, isNull } from "drizzle-orm";
import { prepared, query } from "../query.ts";
import type { BusinessScope } from "../scope.ts";
import { businesses } from "./schema.ts";
import type { Business } from "./schema.ts";

const findById = prepared(["id"], ({ id }) =>
  query
    .select()
    .from(businesses)
    .where(and(eq(businesses.id, id), isNull(businesses.deleted_at))),
);

/** The business of the scope; undefined if it does not exist or was deleted. */
export async function getBusiness(scope: BusinessScope): Promise<Business | undefined> {
  const [business] = await findById(scope, { id: scope.businessId });
  return business;
}
