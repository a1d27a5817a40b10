import { forPlatform, unfinishedMoves } from "../../../lib/db/index.ts";
import type { Handler } from "../../../lib/queues/index.ts";
import type { Deps } from "../deps.ts";

const pageSize = 500;

/** Wakes every unfinished move, so that a crashed worker or a lost wake-up does not stop it. */
export function sweepMoves({ db, producer }: Pick<Deps, "db" | "producer">): Handler<"sweep_moves"> {
  const scope = forPlatform(db);
  return async ({ signal }) => {
    let woken = 0;
    let page: string[] = [];
    do {
      signal.throwIfAborted();
      page = await unfinishedMoves(scope, { after: page.at(-1), limit: pageSize });
      await Promise.all(page.map((move_id) => producer.wake("move", { move_id })));
      woken += page.length;
    } while (page.length === pageSize);
    return { counts: { woken } };
  };
}
