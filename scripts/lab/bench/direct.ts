import postgres from "postgres";
import { uuidv7, whatsappMessageId } from "../../../lib/core/ids.ts";

export type DirectResult = { perSecond: number; inserts: number };

/**
 * What Postgres takes without us: the same two rows by one prepared statement a message, `connections` at once and
 * each committed for itself, on connections to the server itself, as its superuser: no policy, no pooler, no HTTP.
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
    const began = performance.now();
    const end = began + seconds * 1000;
    await Promise.all(
      clients.map(async (sql) => {
        while (performance.now() < end) {
          const id = uuidv7();
          const business = businessIds[inserts % businessIds.length]!;
          const response = { id, status: "queued" };
          await sql`
            with remembered as (
              insert into idempotency_keys (business_id, key, fingerprint, status, response, expires_at)
              values (${business}, ${id}, ${id}, 202, ${sql.json(response)}, now() + interval '1 day')
            )
            insert into messages (id, business_id, direction, chat, type, text, wa_message_id, status, next_attempt_at)
            values (${id}, ${business}, 'outbound', '5511987654321@s.whatsapp.net', 'text', ${text}, ${whatsappMessageId(id)}, 'queued', now())`;
          inserts += 1;
        }
      }),
    );
    return { inserts, perSecond: inserts / ((performance.now() - began) / 1000) };
  } finally {
    await Promise.all(clients.map((sql) => sql.end({ timeout: 1 })));
  }
}

/** What every message of the benchmark says. */
export const text = "Your order 4711 is ready: you can pick it up until seven this evening.";
