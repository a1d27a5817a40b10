import type { BusinessScope, PlatformScope, StatusChange } from "../../../lib/db/index.ts";
import { commitWithEvents } from "../../../lib/events/index.ts";
import type { CommitOptions } from "../../../lib/events/index.ts";
import type { Deps } from "../deps.ts";
import { statusEvents } from "./domain_events.ts";

/** The result of a write and the messages whose status it changed. */
export type Written<T> = { result: T; changes: StatusChange[] };

/** Commits a write together with the events of the messages whose status it changed. */
export function recordStatusChanges<S extends BusinessScope | PlatformScope, T>(
  { publishEvents }: Pick<Deps, "publishEvents">,
  scope: S,
  write: (scope: S) => Promise<Written<T>>,
  options: CommitOptions = {},
): Promise<T> {
  return commitWithEvents(
    publishEvents,
    scope,
    async (tx) => {
      const { result, changes } = await write(tx);
      return { result, events: changes.flatMap(statusEvents) };
    },
    options,
  );
}
