import { sql } from "../client/literal.ts";
import type { Move } from "../schema.ts";
import type { PlatformScope } from "../scope.ts";

/**
 * Fences the business of a requested move with the next fencing token. Undefined if the move is no longer requested, or
 * the business was deleted or has another shard.
 */
export async function fenceMove(scope: PlatformScope, id: string): Promise<Move | undefined> {
  const [move] = await scope.ask<Move[]>(sql`
    with fenced as (
      update businesses b
      set whatsapp_fence = b.whatsapp_fence + 1, whatsapp_move = m.id
      from moves m
      where m.id = ${id} and m.step = 'requested'
        and b.id = m.business_id and b.deleted_at is null and b.whatsapp_shard = m.from_shard
          and b.whatsapp_move is null
      returning b.whatsapp_fence
    )
    update moves m
    set step = 'fenced', fence = f.whatsapp_fence, fenced_at = now(), updated_at = now(), error = null
    from fenced f
    where m.id = ${id} and m.step = 'requested'
    returning m.*`);
  return move;
}
