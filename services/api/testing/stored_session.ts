import type { Harness } from "./harness.ts";

/** Inserts the stored state of an open session, as a shard would have reported it. */
export async function insertOpenSession(
  { database }: Pick<Harness, "database">,
  id: string,
  phone: string | null = null,
) {
  await database.owner`
    insert into whatsapp_sessions (business_id, shard, status, paired, phone, since, observed_at)
    values (${id}, 1, 'open', true, ${phone}, now(), now())`;
}
