import { sharedDate, sharedNow } from "../../../lib/core/time.ts";
import type { BusinessScope } from "../../../lib/db/index.ts";
import { commitWithEvents } from "../../../lib/events/index.ts";
import type { Event, EventData } from "../../../lib/events/index.ts";
import type { Deps } from "../deps.ts";
import type { HandedOver } from "./outcome.ts";

type Limit = { holds: EventData<"session.limited">["holds"]; until: Date };

/** A shorter wait is ordinary pacing and causes no event. */
const minLimitMs = 10 * 60_000;

/** Emits `session.limited` once for as long as a limit lasts; once more if Redis lost the mark of the first time. */
export async function announceLimit(
  deps: Pick<Deps, "redis" | "publishEvents">,
  scope: BusinessScope,
  handedOver: readonly HandedOver[],
): Promise<void> {
  const limit = limitIn(handedOver, sharedNow());
  if (limit === undefined) return;
  const { businessId: business_id } = scope;
  const mark = `prosaas:limit-told:${business_id}:${limit.holds}`;
  if ((await deps.redis.exists(mark).catch(() => 1)) === 1) return;
  const data = { holds: limit.holds, until: limit.until.toISOString() };
  const event: Event<"session.limited"> = { name: "session.limited", business_id, at: sharedDate(), data };
  await commitWithEvents(deps.publishEvents, scope, async () => ({ result: undefined, events: [event] }));
  // Marked after the commit: an event that is emitted twice is better than one that is lost.
  await deps.redis.set(mark, "1", "PX", Math.max(1, limit.until.getTime() - sharedNow())).catch(() => {});
}

/** The strictest limit among the outcomes. */
export function limitIn(handedOver: readonly HandedOver[], now: number): Limit | undefined {
  const limits = handedOver.flatMap((outcome): Limit[] => {
    if (outcome.status === "held") return [{ holds: "everything", until: outcome.until }];
    if (outcome.status === "paced") return [{ holds: "first_contacts", until: outcome.next_attempt_at }];
    return [];
  });
  const lasting = limits.filter(({ until }) => until.getTime() - now >= minLimitMs);
  return lasting.find(({ holds }) => holds === "everything") ?? lasting[0];
}
