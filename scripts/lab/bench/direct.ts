import postgres from "postgres";
import { closedLoad } from "../rig/load.ts";
import { uuidv7, whatsappMessageId } from "../../../lib/core/ids.ts";

export type DirectResult = { perSecond: number; inserts: number };

/**
 * Inserts the rows of a message directly, as the baseline of POST: one prepared statement and one commit a message,
 * over `connections` to the server itself, as its superuser. No policy, no pooler, no HTTP.
 */
export async function insertDirectly(
  url: string,
  businessIds: readonly string[],
  connections: number,
  seconds: number,
): Promise<DirectResult> {
  const clients = Array.from({ length: connections }, () => postgres(url, { max: 1, onnotice: () => {} }));
  try {
    await Promise.all(clients.map((sql) => sql`select 1`));
    let inserts = 0;
    const { perSecond } = await closedLoad(connections, seconds * 1000, async (lane) => {
      const sql = clients[lane]!;
      const id = uuidv7();
      const business = businessIds[inserts % businessIds.length]!;
      const response = { id, status: "queued" };
      await sql`
        with remembered as (
          insert into idempotency_keys (business_id, key, fingerprint, status, response, expires_at)
          values (${business}, ${id}, ${id}, 202, ${sql.json(response)}, now() + interval '1 day')
        )
        insert into messages (id, business_id, direction, chat, type, text, wa_message_id, status, next_attempt_at)
        values (${id}, ${business}, 'outbound', '5511987654321@s.whatsapp.net', 'text', ${text},
                ${whatsappMessageId(id)}, 'queued', now())`;
      inserts += 1;
    });
    return { inserts, perSecond };
  } finally {
    await Promise.all(clients.map((sql) => sql.end({ timeout: 1 })));
  }
}

/** The text of every message of the benchmark. */
export const text = "Your order 4711 is ready: you can pick it up until seven this evening.";
