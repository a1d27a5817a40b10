import { and, desc, eq, isNotNull, isNull, lt } from "drizzle-orm";
import { fetchRows, query } from "../query.ts";
import type { PlatformScope } from "../scope.ts";
import { moves } from "./schema.ts";
import type { Move } from "./schema.ts";

export type MoveFilter = {
  /** Only finished moves, or only moves in progress. */
  finished?: boolean | undefined;
  business_id?: string | undefined;
  before?: string | undefined;
  limit: number;
};

/** Moves, newest first. */
export function listMoves(scope: PlatformScope, { finished, business_id, before, limit }: MoveFilter): Promise<Move[]> {
  const state = finished === undefined ? undefined : (finished ? isNotNull : isNull)(moves.finished_at);
  return fetchRows(
    scope,
    query
      .select()
      .from(moves)
      .where(
        and(
          state,
          business_id === undefined ? undefined : eq(moves.business_id, business_id),
          before === undefined ? undefined : lt(moves.id, before),
        ),
      )
      .orderBy(desc(moves.id))
      .limit(limit),
  );
}
