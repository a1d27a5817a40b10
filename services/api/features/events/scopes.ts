import { events, streamEvents } from "../../../../lib/events/index.ts";
import type { EventName } from "../../../../lib/events/index.ts";
import { mayUse } from "../../http/auth/principal.ts";
import type { Principal, Scope } from "../../http/auth/principal.ts";

const scopeOf: Record<EventName, { scope: Scope }> = events;

/** A key with any of these may open a stream; it receives the events that its scopes cover. */
export const streamScopes: readonly Scope[] = [...new Set(streamEvents.map((name) => scopeOf[name].scope))];

/** Lists each kind of event with the scope that it needs, for the API description. */
export function describeStreamScopes(): string {
  const kinds = new Map(streamEvents.map((name) => [name.slice(0, name.indexOf(".")), scopeOf[name].scope]));
  return [...kinds].map(([kind, scope]) => `\`${kind}.*\` needs ${scope}`).join(", ");
}

/** True if a principal may receive an event of its business. An event outside the catalogue needs an admin key. */
export function maySee(principal: Principal, event: string): boolean {
  if (principal.kind === "admin" || event === "reset") return true;
  return Object.hasOwn(scopeOf, event) && mayUse(principal, scopeOf[event as EventName].scope);
}
