import { eq } from "drizzle-orm";
import { fetchRows, query } from "../query.ts";
import type { BusinessScope } from "../scope.ts";
import { whatsappSessions } from "./schema.ts";
import type { WhatsappSession } from "./schema.ts";

/** The last reported state of the business's session. It may lag behind the shard. */
export async function getSession(scope: BusinessScope): Promise<WhatsappSession | undefined> {
  const [session] = await fetchRows(
    scope,
    query.select().from(whatsappSessions).where(eq(whatsappSessions.business_id, scope.businessId)),
  );
  return session;
}
