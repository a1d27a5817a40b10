import { eq } from "drizzle-orm";
import { fetchRows, query } from "../query.ts";
import type { PlatformScope } from "../scope.ts";
import { moves } from "./schema.ts";
import type { Move } from "./schema.ts";

export async function getMove(scope: PlatformScope, id: string): Promise<Move | undefined> {
  const [move] = await fetchRows(scope, query.select().from(moves).where(eq(moves.id, id)));
  return move;
}
