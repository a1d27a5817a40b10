import { sharedDate, sharedNow } from "../../../lib/core/time.ts";
import { announce, atomically } from "../../../lib/db/index.ts";
import type { BusinessScope } from "../../../lib/db/index.ts";
import type { EventData } from "../../../lib/webhooks/events.ts";
import type { Deps } from "../deps.ts";
import type { HandedOver } from "./outcome.ts";
import { announcement } from "../webhooks/announcements.ts";
import { tellWatchers } from "../webhooks/tell_watchers.ts";
import { wakeWebhooks } from "../webhooks/wake.ts";

type Limit = { holds: EventData<"session.limited">["holds"]; until: Date };

/** Who has to wait for less is paced, and that is all; a limit lasts for longer. */
const leastMs = 10 * 60_000;

/** Tells of a limit that messages met, once for as long as it lasts; once more where Redis forgot that it was told. */
export async function tellOfLimit(
  deps: Pick<Deps, "redis" | "producer" | "logger">,
  scope: BusinessScope,
  handedOver: readonly HandedOver[],
): Promise<void> {
  const limit = limitIn(handedOver, sharedNow());
  if (limit === undefined) return;
  const { businessId } = scope;
  const told = `prosaas:limit-told:${businessId}:${limit.holds}`;
  if ((await deps.redis.exists(told).catch(() => 1)) === 1) return;
  const data = { holds: limit.holds, until: limit.until.toISOString() };
  const news = [announcement(businessId, "session.limited", { at: sharedDate(), data })];
  const webhooks = await atomically(scope, (inside) => announce(inside, news));
  // After it: told twice is better than never.
  await deps.redis.set(told, "1", "PX", Math.max(1, limit.until.getTime() - sharedNow())).catch(() => {});
  await wakeWebhooks(deps, webhooks);
  await tellWatchers(deps, news);
}

/** The limit that holds most, of those that these messages met. */
export function limitIn(handedOver: readonly HandedOver[], now: number): Limit | undefined {
  const limits = handedOver.flatMap((outcome): Limit[] => {
    if (outcome.status === "held") return [{ holds: "everything", until: outcome.until }];
    if (outcome.status === "paced") return [{ holds: "first_contacts", until: outcome.next_attempt_at }];
    return [];
  });
  const lasting = limits.filter(({ until }) => until.getTime() - now >= leastMs);
  return lasting.find(({ holds }) => holds === "everything") ?? lasting[0];
}
