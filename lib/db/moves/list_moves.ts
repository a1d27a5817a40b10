import { sql } from "../client/literal.ts";
import type { Move } from "../schema.ts";
import type { PlatformScope } from "../scope.ts";

export type MoveFilter = {
  /** Only those that are over, or are not. */
  finished?: boolean | undefined;
  business_id?: string | undefined;
  before?: string | undefined;
  limit: number;
};

/** Moves, newest first. */
export function listMoves(scope: PlatformScope, { finished, business_id, before, limit }: MoveFilter): Promise<Move[]> {
  return scope.ask<Move[]>(sql`
    select * from moves
    where true
      ${finished === undefined ? sql`` : finished ? sql`and finished_at is not null` : sql`and finished_at is null`}
      ${business_id === undefined ? sql`` : sql`and business_id = ${business_id}`}
      ${before === undefined ? sql`` : sql`and id < ${before}`}
    order by id desc
    limit ${limit}`);
}
