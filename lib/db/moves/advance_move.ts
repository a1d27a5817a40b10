import { sql } from "../client/literal.ts";
import type { Move, MoveStep } from "../schema.ts";
import type { PlatformScope } from "../scope.ts";

export type Advance = {
  id: string;
  from: MoveStep;
  to: Exclude<MoveStep, "requested" | "fenced" | "switched" | "done" | "rolled_back">;
  checksum?: string;
  error?: string;
};

/** Advances a move by a step; undefined if its step is not `from`: another worker was faster. */
export async function advanceMove(
  scope: PlatformScope,
  { id, from, to, checksum, error }: Advance,
): Promise<Move | undefined> {
  const [move] = await scope.ask<Move[]>(sql`
    update moves
    set step = ${to}, updated_at = now(), error = ${error ?? null}
        ${checksum === undefined ? sql`` : sql`, checksum = ${checksum}`}
    where id = ${id} and step = ${from}
    returning *`);
  return move;
}

/** Records why a move is blocked. */
export async function noteMoveError(scope: PlatformScope, id: string, error: string): Promise<void> {
  await scope.ask(
    sql`
      update moves set error = ${error}, updated_at = now()
      where id = ${id} and finished_at is null and error is distinct from ${error}`,
  );
}
