import { sql } from "../client/literal.ts";
import type { Move } from "../schema.ts";
import type { PlatformScope } from "../scope.ts";

/** Makes the target the shard of the business; undefined where the move does not stand at its tombstone any more. */
export async function switchMove(scope: PlatformScope, id: string): Promise<Move | undefined> {
  const [move] = await scope.ask<Move[]>(sql`
    with business as (
      update businesses b set whatsapp_shard = m.to_shard, updated_at = now()
      from moves m
      where m.id = ${id} and m.step = 'tombstoned' and b.id = m.business_id and b.whatsapp_fence = m.fence
      returning b.id, b.whatsapp_shard
    ), mirror as (
      update whatsapp_sessions w set shard = b.whatsapp_shard, updated_at = now()
      from business b
      where w.business_id = b.id
    )
    update moves m set step = 'switched', updated_at = now(), error = null
    from business b
    where m.id = ${id} and m.step = 'tombstoned'
    returning m.*`);
  return move;
}
