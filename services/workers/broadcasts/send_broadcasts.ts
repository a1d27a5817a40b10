import type { Handler } from "../../../lib/queues/index.ts";
import type { Deps } from "../deps.ts";
import { drainOutbox } from "../sending/outbox.ts";
import { createShardSlots } from "../sending/shard_slots.ts";

/** A shard sends in the order of arrival: an urgent message waits behind this many broadcast messages at most. */
const batchSize = 5;

/** Drains a business's broadcast outbox. */
export function sendBroadcasts(deps: Deps): Handler<"send_broadcasts"> {
  const outbox = { ofBroadcasts: true, batchSize, slots: createShardSlots("broadcasts") };
  return (run) => drainOutbox(deps, run, outbox);
}
