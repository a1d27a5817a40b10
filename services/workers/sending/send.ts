import type { Handler } from "../../../lib/queues/index.ts";
import { maxBatch } from "../../../lib/contracts/shard/index.ts";
import type { Deps } from "../deps.ts";
import { emptyOutbox } from "./outbox.ts";
import { createShardPlaces } from "./shard_slots.ts";

/** Sends what a business has to send, but for what its broadcasts have. */
export function send(deps: Deps): Handler<"send"> {
  const outbox = { ofBroadcasts: false, inABatch: maxBatch, places: createShardPlaces("high") };
  return (run) => emptyOutbox(deps, run, outbox);
}
