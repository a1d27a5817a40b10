import { messageOf } from "../../../lib/core/errors.ts";
import { AuthStoreError } from "../auth/auth_store.ts";
import type { Event, State } from "./states.ts";

/** The event for an auth store that could not be opened. The store of a session that has not started is retried. */
export function openFault(error: unknown, state: State): Event {
  if (error instanceof AuthStoreError || state.is !== "disconnected") return storeFault(error);
  return { is: "store_unavailable", reason: `the auth store cannot be opened: ${messageOf(error)}` };
}

/** The event for a failed read or write of an open auth store. */
export function storeFault(error: unknown): Event {
  const reason = messageOf(error);
  if (error instanceof AuthStoreError) return { is: "store_invalid", reason };
  return { is: "volume_failed", reason: `the auth store does not accept writes: ${reason}` };
}
