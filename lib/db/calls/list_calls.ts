import type { Call, CallDirection, CallOutcome } from "../schema.ts";
import type { BusinessScope } from "../scope.ts";

export type CallFilter = {
  direction?: CallDirection | undefined;
  status?: CallOutcome | undefined;
  /** Only calls that began before this one. */
  before?: Pick<Call, "started_at" | "call_sid"> | undefined;
  limit: number;
};

/** Calls of a business that have ended, the latest to begin first. */
export function listCalls(scope: BusinessScope, { direction, status, before, limit }: CallFilter): Promise<Call[]> {
  return scope.run(
    (sql) => sql<Call[]>`
      select * from calls
      where business_id = ${scope.businessId}
        ${direction === undefined ? sql`` : sql`and direction = ${direction}`}
        ${status === undefined ? sql`` : sql`and status = ${status}`}
        ${before === undefined ? sql`` : sql`and (started_at, call_sid) < (${before.started_at}, ${before.call_sid})`}
      order by started_at desc, call_sid desc
      limit ${limit}`,
  );
}
