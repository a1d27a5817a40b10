import { sleep } from "../../core/time.ts";
import type { Database } from "./client.ts";

/** A pooler that starts together with the service takes seconds. */
const deadlineMs = 30_000;
const retryMs = 100;

/**
 * Resolves with true when the database answers for the first time, and with false if it has not after 30 s. A service
 * behind the edge listens only then: after its node was lost and returned, Consul lists it as passing until its checks
 * run again, and the edge tries another replica only if this one refuses the connection.
 */
export async function firstAnswer(
  db: Pick<Database, "ping">,
  signal: AbortSignal,
  waitMs: number = deadlineMs,
): Promise<boolean> {
  const end = performance.now() + waitMs;
  while (!signal.aborted) {
    const answered = await db.ping().then(
      () => true,
      () => false,
    );
    if (answered) return true;
    if (performance.now() >= end) return false;
    await sleep(retryMs, signal).catch(() => {});
  }
  return false;
}
