import { sql } from "../client/literal.ts";
import type { Move } from "../schema.ts";
import type { PlatformScope } from "../scope.ts";

export async function getMove(scope: PlatformScope, id: string): Promise<Move | undefined> {
  const [move] = await scope.ask<Move[]>(sql`select * from moves where id = ${id}`);
  return move;
}
