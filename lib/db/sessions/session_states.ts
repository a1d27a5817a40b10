import { sql } from "../client/literal.ts";
import type { WhatsappSession } from "../schema.ts";
import type { PlatformScope } from "../scope.ts";

export type SessionState = Pick<WhatsappSession, "business_id" | "status" | "observed_at">;

/** The mirrored session states of some businesses. */
export async function sessionStates(
  scope: PlatformScope,
  businessIds: readonly string[],
): Promise<Map<string, SessionState>> {
  if (businessIds.length === 0) return new Map();
  const rows = await scope.ask<SessionState[]>(sql`
    select business_id, status, observed_at from whatsapp_sessions where business_id = any(${businessIds}::uuid[])`);
  return new Map(rows.map((row) => [row.business_id, row]));
}
