import type { BroadcastVerb } from "../../../../lib/broadcasts/status.ts";
import { sharedDate } from "../../../../lib/core/time.ts";
import { changeBroadcastStatus } from "../../../../lib/db/index.ts";
import type { BusinessScope } from "../../../../lib/db/index.ts";
import { commitWithEvents } from "../../../../lib/events/index.ts";
import type { PublishEvents } from "../../../../lib/events/index.ts";

/**
 * Applies a verb to a broadcast's status and emits `broadcast.status` if it changed, in one transaction. Returns
 * undefined if the broadcast does not exist.
 */
export function transitionBroadcast(
  publishEvents: PublishEvents,
  scope: BusinessScope,
  id: string,
  verb: BroadcastVerb,
) {
  return commitWithEvents(publishEvents, scope, async (tx) => {
    const result = await changeBroadcastStatus(tx, id, verb);
    if (result?.outcome !== "changed") return { result, events: [] };
    const { id: broadcast_id, business_id, status } = result.broadcast;
    const data = { broadcast_id, status };
    return { result, events: [{ name: "broadcast.status", business_id, at: sharedDate(), data }] };
  });
}
