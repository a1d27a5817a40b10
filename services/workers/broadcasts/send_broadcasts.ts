import type { Handler } from "../../../lib/queues/index.ts";
import type { Deps } from "../deps.ts";
import { emptyOutbox } from "../outbox.ts";

/**
 * A batch is handed over as a whole, so an urgent message of the same business waits for it: with so few messages of
 * broadcasts in one, for some tens of milliseconds.
 */
const inABatch = 5;

/** Sends what a business's broadcasts have released, and whatever urgent comes meanwhile ahead of it. */
export function sendBroadcasts(deps: Deps): Handler<"send_broadcasts"> {
  return (run) => emptyOutbox(deps, run, inABatch);
}
