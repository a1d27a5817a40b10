import { sql } from "../client/literal.ts";
import type { WhatsappSession } from "../schema.ts";
import type { BusinessScope } from "../scope.ts";

/** What is known here of the business's login: it may lag behind the shard. */
export async function getSession(scope: BusinessScope): Promise<WhatsappSession | undefined> {
  const [session] = await scope.ask<WhatsappSession[]>(
    sql`select * from whatsapp_sessions where business_id = ${scope.businessId}`,
  );
  return session;
}
