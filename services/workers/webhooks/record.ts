import { announce, atomically } from "../../../lib/db/index.ts";
import type { BusinessScope, PlatformScope, StatusChange } from "../../../lib/db/index.ts";
import type { Deps } from "../deps.ts";
import { moved } from "./announcements.ts";
import { tellWatchers } from "./tell_watchers.ts";
import { wakeWebhooks } from "./wake.ts";

/** What came of a write, and the messages that it moved. */
export type Written<T> = { result: T; changes: StatusChange[] };

/**
 * Writes to Postgres and tells what became of the messages that it moved: endpoints in the same transaction, unless it
 * is known that there are none, and watchers after it.
 */
export async function recordMoves<S extends BusinessScope | PlatformScope, T>(
  deps: Pick<Deps, "producer" | "redis" | "logger">,
  scope: S,
  write: (scope: S) => Promise<Written<T>>,
  { announced = true } = {},
): Promise<T> {
  if (!announced) {
    const { result, changes } = await write(scope);
    await tellWatchers(deps, changes.flatMap(moved));
    return result;
  }
  const { result, announcements, webhooks } = await atomically(scope, async (together) => {
    const written = await write(together);
    const announcements = written.changes.flatMap(moved);
    return { result: written.result, announcements, webhooks: await announce(together, announcements) };
  });
  await wakeWebhooks(deps, webhooks);
  await tellWatchers(deps, announcements);
  return result;
}
