import type { Handlers } from "../../lib/queues/index.ts";
import { sessionEvents } from "./default/session_events.ts";
import type { Deps } from "./deps.ts";
import { inbound } from "./high/inbound.ts";
import { send } from "./high/send.ts";
import { sweep } from "./maintenance/sweep.ts";
import { receipts } from "./receipts/receipts.ts";

/** Every job there is, and who does it; the queues decide which of them a process gets. */
export function createHandlers(deps: Deps) {
  return {
    send: send(deps),
    inbound: inbound(deps),
    session_events: sessionEvents(deps),
    receipts: receipts(deps),
    sweep: sweep(deps),
  } satisfies Required<Handlers>;
}
