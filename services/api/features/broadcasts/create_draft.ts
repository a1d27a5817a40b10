import { momentOf } from "../../../../lib/broadcasts/quiet_hours.ts";
import { uuidv7 } from "../../../../lib/core/ids.ts";
import { getBusiness, insertBroadcast } from "../../../../lib/db/index.ts";
import type { Broadcast, BusinessScope } from "../../../../lib/db/index.ts";
import { noSuchBusiness } from "../../http/auth/guards.ts";
import type { BroadcastRequest } from "./schemas.ts";

/** Inserts a broadcast without recipients. Throws "not_found" if the business does not exist. */
export async function createDraft(scope: BusinessScope, request: BroadcastRequest): Promise<Broadcast> {
  const time_zone = request.time_zone ?? (await getBusiness(scope))?.time_zone;
  if (time_zone === undefined) throw noSuchBusiness();
  const draft = await insertBroadcast(scope, {
    id: uuidv7(),
    name: request.name,
    text: request.text,
    time_zone,
    scheduled_at: scheduleOf(request, time_zone),
    quiet_from: request.quiet_hours?.from ?? null,
    quiet_to: request.quiet_hours?.to ?? null,
    per_minute: request.per_minute,
  });
  if (draft === undefined) throw noSuchBusiness();
  return draft;
}

function scheduleOf(request: BroadcastRequest, timeZone: string): Date | null {
  if (request.scheduled_local !== undefined) return momentOf(request.scheduled_local, timeZone);
  return request.scheduled_at ?? null;
}
