import {
  forPlatform,
  listDueBroadcasts,
  listDueWebhooks,
  listPendingBusinesses,
  listUnmerged,
} from "../../../lib/db/index.ts";
import type { Handler } from "../../../lib/queues/index.ts";
import type { Deps } from "../deps.ts";

const pageSize = 500;

/**
 * Wakes every outbox with due messages, every webhook with due deliveries, every due broadcast, and every business
 * whose chats have to be merged. Deduplication drops most of these wake-ups. They matter after Redis was lost, after a
 * lost wake-up, and when a retry comes due.
 */
export function sweep({ db, producer }: Pick<Deps, "db" | "producer">): Handler<"sweep"> {
  const scope = forPlatform(db);
  return async ({ signal }) => {
    const woken = await wakeEach(
      (after) => listPendingBusinesses(scope, { after, limit: pageSize }),
      (business_id) => producer.wake("send", { business_id }),
      signal,
    );
    const endpoints = await wakeEach(
      (after) => listDueWebhooks(scope, { after, limit: pageSize }),
      (webhook_id) => producer.wake("deliver", { webhook_id }),
      signal,
    );
    const broadcasters = await wakeEach(
      (after) => listPendingBusinesses(scope, { after, limit: pageSize, ofBroadcasts: true }),
      (business_id) => producer.wake("send_broadcasts", { business_id }),
      signal,
    );
    const broadcasts = await wakeEach(
      (after) => listDueBroadcasts(scope, { after, limit: pageSize }),
      (broadcast_id) => producer.wake("broadcast", { broadcast_id }),
      signal,
    );
    const merges = await wakeEach(
      (after) => listUnmerged(scope, { after, limit: pageSize }),
      (business_id) => producer.wake("merge_chats", { business_id }),
      signal,
    );
    return { counts: { woken, endpoints, broadcasters, broadcasts, merges } };
  };
}

/** Reads ids page by page and wakes each; returns how many. */
async function wakeEach(
  read: (after: string | undefined) => Promise<string[]>,
  wake: (id: string) => Promise<void>,
  signal: AbortSignal,
): Promise<number> {
  let woken = 0;
  let page: string[] = [];
  do {
    signal.throwIfAborted();
    page = await read(page.at(-1));
    await Promise.all(page.map(wake));
    woken += page.length;
  } while (page.length === pageSize);
  return woken;
}
