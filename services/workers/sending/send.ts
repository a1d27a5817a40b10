import { maxBatch } from "../../../lib/contracts/shard/index.ts";
import type { Handler } from "../../../lib/queues/index.ts";
import type { Deps } from "../deps.ts";
import { drainOutbox } from "./outbox.ts";
import { createShardSlots } from "./shard_slots.ts";

/** Drains a business's urgent outbox. */
export function send(deps: Deps): Handler<"send"> {
  const outbox = { ofBroadcasts: false, batchSize: maxBatch, slots: createShardSlots("high") };
  return (run) => drainOutbox(deps, run, outbox);
}
