import type { WhatsappSession } from "../schema/index.ts";
import type { BusinessScope } from "../scope.ts";

/** What is known here of the business's login: it may lag behind the shard. */
export async function getSession(scope: BusinessScope): Promise<WhatsappSession | undefined> {
  const [session] = await scope.run(
    (sql) => sql<WhatsappSession[]>`select * from whatsapp_sessions where business_id = ${scope.businessId}`,
  );
  return session;
}
