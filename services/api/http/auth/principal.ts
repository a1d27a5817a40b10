/** Permissions of a key within its own business. An admin key has all of them. */
export const scopes = [
  "broadcasts:read",
  "broadcasts:write",
  "business:read",
  "business:write",
  "calls:read",
  "calls:write",
  "keys:read",
  "keys:write",
  "messages:read",
  "messages:write",
  "webhooks:read",
  "webhooks:write",
  "whatsapp:read",
  "whatsapp:write",
] as const;
export type Scope = (typeof scopes)[number];

/** The authenticated caller of a request. */
export type Principal = { keyId: string; prefix: string; expiresAt: Date | null } & (
  | { kind: "admin" }
  | { kind: "business"; businessId: string; scopes: ReadonlySet<string> }
);

export function mayUse(principal: Principal, scope: Scope): boolean {
  return principal.kind === "admin" || principal.scopes.has(scope);
}
