import { announce, atomically } from "../../../lib/db/index.ts";
import type { BusinessScope, PlatformScope, StatusChange } from "../../../lib/db/index.ts";
import type { Deps } from "../deps.ts";
import { moved } from "./announcements.ts";
import { wakeWebhooks } from "./wake.ts";

/** What came of a write, and the messages that it moved. */
export type Written<T> = { result: T; changes: StatusChange[] };

/** Writes to Postgres, and in the same transaction announces what became of the messages that it moved. */
export async function recordMoves<S extends BusinessScope | PlatformScope, T>(
  deps: Pick<Deps, "producer">,
  scope: S,
  write: (scope: S) => Promise<Written<T>>,
): Promise<T> {
  const { result, webhooks } = await atomically(scope, async (together) => {
    const written = await write(together);
    return { result: written.result, webhooks: await announce(together, written.changes.flatMap(moved)) };
  });
  await wakeWebhooks(deps, webhooks);
  return result;
}
