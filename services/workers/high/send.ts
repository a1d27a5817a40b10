import type { Handler } from "../../../lib/queues/index.ts";
import type { Deps } from "../deps.ts";
import { emptyOutbox } from "../outbox.ts";

/** Sends what a business has to send, but for what its broadcasts have: only what must go ahead of an urgent message goes with it. */
export function send(deps: Deps): Handler<"send"> {
  return (run) => emptyOutbox(deps, run, 0);
}
