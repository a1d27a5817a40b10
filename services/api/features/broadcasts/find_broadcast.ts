import { getBroadcast } from "../../../../lib/db/index.ts";
import type { Broadcast, BusinessScope } from "../../../../lib/db/index.ts";
import { parseId } from "../../http/params.ts";
import { noSuch } from "../../http/problem.ts";

/** Throws "not_found" if the business has no such broadcast. */
export async function findBroadcast(scope: BusinessScope, broadcastId: string): Promise<Broadcast> {
  const id = parseId(broadcastId);
  const broadcast = id === undefined ? undefined : await getBroadcast(scope, id);
  if (!broadcast) throw noSuch("broadcast");
  return broadcast;
}
