import { messageOf } from "../../../lib/core/errors.ts";
import type { Announcement } from "../../../lib/db/index.ts";
import { publishEvents } from "../../../lib/events/index.ts";
import type { Deps } from "../deps.ts";

/**
 * Publishes announcements to live streams (GET …/events) after the commit. Never throws: the work is done, and what
 * must not miss an event uses a webhook.
 */
export async function tellWatchers(
  { redis, logger }: Pick<Deps, "redis" | "logger">,
  announcements: readonly Announcement[],
): Promise<void> {
  const events = announcements.map(({ business_id, event, at, data }) => ({
    business_id,
    event,
    at: at.toISOString(),
    data,
  }));
  await publishEvents(redis, events).catch((error: unknown) =>
    logger.warn({ error: messageOf(error), events: events.length }, "watchers were not told"),
  );
}
