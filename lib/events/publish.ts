import type { Redis } from "ioredis";
import { createScript, scriptText } from "../redis/script.ts";
import { allEvents, eventsOf, limits } from "./event.ts";
import type { LiveEvent } from "./event.ts";

/*
 * Events for those who watch: a console, a screen. They are told after the commit and kept for a while, in Redis
 * streams: told by NOTIFY, each would make its transaction queue for a lock of the whole database at commit, and still
 * be gone for whoever was not listening; in a table of Postgres, each tick would be two writes. What must not miss an
 * event takes a webhook, whose delivery is written in the transaction itself; who watches and may have missed something
 * is told so ("reset") and reads anew.
 */

const publishScript = createScript(scriptText("publish_events"));

/** Tells what happened, in order. Throws "unavailable" where Redis cannot be reached. */
export async function publishEvents(redis: Redis, events: readonly LiveEvent[]): Promise<void> {
  if (events.length === 0) return;
  await publishScript(
    redis,
    [allEvents, ...events.map(({ business_id }) => eventsOf(business_id))],
    [limits.all, limits.business, limits.keptMs, ...events.map((event) => JSON.stringify(event))],
  );
}
