import { momentOf } from "../../../../lib/broadcasts/quiet_hours.ts";
import { AppError } from "../../../../lib/core/errors.ts";
import { uuidv7 } from "../../../../lib/core/ids.ts";
import { createdWithinADay, getBusiness, insertBroadcast } from "../../../../lib/db/index.ts";
import type { Broadcast, BusinessScope } from "../../../../lib/db/index.ts";
import { noSuchBusiness } from "../../http/auth/guards.ts";
import type { BroadcastRequest } from "./schemas.ts";

/** Broadcasts stay listed and have up to 64 KB of text each: without a limit, a program in a loop fills the disk. */
const mostPerDay = 1_000;

/**
 * Inserts a broadcast without recipients. Throws "not_found" if the business does not exist, and "quota_exceeded" if it
 * has created too many within 24 hours.
 */
export async function createDraft(scope: BusinessScope, request: BroadcastRequest): Promise<Broadcast> {
  const time_zone = request.time_zone ?? (await getBusiness(scope))?.time_zone;
  if (time_zone === undefined) throw noSuchBusiness();
  if ((await createdWithinADay(scope, mostPerDay)) >= mostPerDay) {
    const detail = `A business may create ${mostPerDay} broadcasts in 24 hours. Retry later, or use a draft.`;
    throw new AppError("quota_exceeded", detail, { retryAfterS: 3_600 });
  }
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
