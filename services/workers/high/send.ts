import type { Handler } from "../../../lib/queues/index.ts";
import { maxBatch } from "../../../lib/shard-client/index.ts";
import type { Deps } from "../deps.ts";
import { emptyOutbox } from "../outbox.ts";

/** Sends what a business has to send, but for what its broadcasts have. */
export function send(deps: Deps): Handler<"send"> {
  return (run) => emptyOutbox(deps, run, { ofBroadcasts: false, inABatch: maxBatch });
}
