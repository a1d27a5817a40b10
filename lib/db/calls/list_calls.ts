import { and, desc, eq, sql } from "drizzle-orm";
import { fetchRows, query } from "../query.ts";
import type { BusinessScope } from "../scope.ts";
import { calls } from "./schema.ts";
import type { Call, CallDirection, CallOutcome } from "./schema.ts";

export type CallFilter = {
  direction?: CallDirection | undefined;
  status?: CallOutcome | undefined;
  /** Only calls that started before this one. */
  before?: Pick<Call, "started_at" | "call_sid"> | undefined;
  limit: number;
};

/** The ended calls of a business, the latest start first. */
export function listCalls(scope: BusinessScope, { direction, status, before, limit }: CallFilter): Promise<Call[]> {
  const { started_at, call_sid } = calls;
  return fetchRows(
    scope,
    query
      .select()
      .from(calls)
      .where(
        and(
          eq(calls.business_id, scope.businessId),
          direction === undefined ? undefined : eq(calls.direction, direction),
          status === undefined ? undefined : eq(calls.status, status),
          before === undefined
            ? undefined
            : sql`(${started_at}, ${call_sid}) < (${sql.param(before.started_at, started_at)}, ${before.call_sid})`,
        ),
      )
      .orderBy(desc(started_at), desc(call_sid))
      .limit(limit),
  );
}
