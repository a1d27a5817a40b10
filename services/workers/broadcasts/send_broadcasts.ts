import type { Handler } from "../../../lib/queues/index.ts";
import type { Deps } from "../deps.ts";
import { emptyOutbox } from "../sending/outbox.ts";
import { createShardPlaces } from "../sending/shard_slots.ts";

/** The shard sends what it is handed in order: an urgent message waits there for so many of a broadcast at most. */
const inABatch = 5;

/** Sends what a business's broadcasts have released. */
export function sendBroadcasts(deps: Deps): Handler<"send_broadcasts"> {
  const outbox = { ofBroadcasts: true, inABatch, places: createShardPlaces("broadcasts") };
  return (run) => emptyOutbox(deps, run, outbox);
}
