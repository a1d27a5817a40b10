import { toJson } from "../client/json.ts";
import { sql } from "../client/literal.ts";
import type { Move } from "../schema.ts";
import type { PlatformScope } from "../scope.ts";

export type NewMove = Pick<Move, "id" | "business_id" | "to_shard">;

/**
 * Inserts moves, each from the business's current shard. Skips businesses that are deleted, have no shard, are on the
 * target shard or have a move in progress. Returns the inserted moves. Hand-written SQL: one statement checks and
 * inserts up to 1,000 moves.
 */
export async function beginMoves(scope: PlatformScope, moves: readonly NewMove[]): Promise<Move[]> {
  if (moves.length === 0) return [];
  return scope.ask<Move[]>(sql`
    insert into moves (id, business_id, from_shard, to_shard)
    select n.id, n.business_id, b.whatsapp_shard, n.to_shard
    from jsonb_to_recordset(${toJson(moves)}::jsonb) as n(id uuid, business_id uuid, to_shard integer)
    join businesses b on b.id = n.business_id and b.deleted_at is null and b.whatsapp_shard <> n.to_shard
    order by n.business_id
    on conflict (business_id) where finished_at is null do nothing
    returning *`);
}
