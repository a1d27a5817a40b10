import { mayUse } from "../../http/auth/principal.ts";
import type { Principal, Scope } from "../../http/auth/principal.ts";

/** The scope that an event's name needs, by the part before the dot. */
const scopeOf = {
  message: "messages:read",
  call: "calls:read",
  broadcast: "broadcasts:read",
  session: "whatsapp:read",
  webhook: "webhooks:read",
} as const satisfies Record<string, Scope>;

/** A key with any of these may open a stream; it is sent what its scopes cover. */
export const streamScopes: readonly Scope[] = Object.values(scopeOf);

/** Whether a principal may be sent an event of its business. An event of an unknown kind needs an admin key. */
export function maySee(principal: Principal, event: string): boolean {
  if (principal.kind === "admin" || event === "reset") return true;
  const kind = event.slice(0, event.indexOf("."));
  return kind in scopeOf && mayUse(principal, scopeOf[kind as keyof typeof scopeOf]);
}
