import { sql } from "../client/literal.ts";
import type { Move, MoveStep } from "../schema.ts";
import type { PlatformScope } from "../scope.ts";

export type Finish = { id: string; from: MoveStep; to: "done" | "rolled_back"; error?: string | undefined };

/**
 * Finishes a move and clears its fence. Returns undefined if the move has left step `from`. Locks the business first,
 * as every step does that writes both rows.
 */
export async function finishMove(scope: PlatformScope, { id, from, to, error }: Finish): Promise<Move | undefined> {
  const [move] = await scope.ask<Move[]>(sql`
    with locked as (
      select b.id from businesses b join moves m on m.business_id = b.id
      where m.id = ${id} and m.step = ${from}
      for update of b
    ), finished as (
      update moves m set step = ${to}, finished_at = now(), updated_at = now(),
             error = ${to === "done" ? null : (error ?? "rolled back")}
      from locked l
      where m.id = ${id} and m.step = ${from} and m.business_id = l.id
      returning m.*
    ), business as (
      update businesses b set whatsapp_move = null
      from finished f
      where b.id = f.business_id and b.whatsapp_move = f.id
    )
    select * from finished`);
  return move;
}
