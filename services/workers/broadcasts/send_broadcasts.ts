import type { Handler } from "../../../lib/queues/index.ts";
import type { Deps } from "../deps.ts";
import { emptyOutbox } from "../outbox.ts";

/** The shard sends what it is handed in order: an urgent message waits there for so many of a broadcast at most. */
const inABatch = 5;

/** Sends what a business's broadcasts have released. */
export function sendBroadcasts(deps: Deps): Handler<"send_broadcasts"> {
  return (run) => emptyOutbox(deps, run, { ofBroadcasts: true, inABatch });
}
