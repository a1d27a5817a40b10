import { toJson } from "../json.ts";
import type { BusinessScope } from "../scope.ts";

/** How long the answer to an Idempotency-Key is kept. */
export const idempotencyTtlHours = 24;

export type NewMessage = {
  id: string;
  chat: string;
  type: "text";
  text: string;
  wa_message_id: string;
  /** After this it is not worth sending. */
  expires_at?: Date | null | undefined;
};

/** Binds a request to its answer: the same key and fingerprint get `response` again. */
export type Idempotency = { key: string; fingerprint: string; status: number; response: Record<string, unknown> };

export type Submission =
  | { outcome: "accepted" }
  /** The key was used by the same request: this was its answer. */
  | { outcome: "replayed"; status: number; response: Record<string, unknown> }
  /** The key was used by another request. */
  | { outcome: "mismatched" }
  /** As far as the mirror knows, the business has no paired WhatsApp; nothing was written. */
  | { outcome: "unpaired"; whatsapp_shard: number | null }
  | { outcome: "unknown_business" };

export type SubmitOptions = {
  idempotency?: Idempotency | undefined;
  /** The shard itself was asked and says that the business is paired: do not look at the mirror. */
  knownPaired?: boolean;
};

type Row = { whatsapp_shard: number | null; known: boolean; accepted: boolean };
type Stored = { fingerprint: string; status: number; response: Record<string, unknown> };

/** Writes an outbound message and its idempotency key together, in one statement; of any number of parallel calls with one key, one writes. */
export function submitMessage(scope: BusinessScope, message: NewMessage, options: SubmitOptions = {}): Promise<Submission> {
  const { idempotency, knownPaired = false } = options;
  const key = idempotency?.key ?? null;
  return scope.run(async (sql) => {
    const [row] = await sql<[Row]>`
      with business as (
        select id, whatsapp_shard from businesses where id = ${scope.businessId} and deleted_at is null
      ), admitted as (
        select id from business
        where ${knownPaired}::boolean
           or exists (select from whatsapp_sessions where business_id = ${scope.businessId} and paired)
      ), remembered as (
        insert into idempotency_keys (business_id, key, fingerprint, status, response, expires_at)
        select id, ${key}::text, ${idempotency?.fingerprint ?? null}::text, ${idempotency?.status ?? null}::integer,
               ${toJson(idempotency?.response ?? null)}::text::jsonb, now() + make_interval(hours => ${idempotencyTtlHours}::integer)
        from admitted where ${key}::text is not null
        on conflict (business_id, key) do update
          set fingerprint = excluded.fingerprint, status = excluded.status, response = excluded.response,
              created_at = excluded.created_at, expires_at = excluded.expires_at
          where idempotency_keys.expires_at <= now()
        returning key
      ), accepted as (
        insert into messages (id, business_id, direction, chat, type, text, wa_message_id, status, next_attempt_at, expires_at)
        select ${message.id}::uuid, id, 'outbound', ${message.chat}, ${message.type}, ${message.text}, ${message.wa_message_id}, 'queued',
               now(), ${message.expires_at ?? null}::timestamptz
        from admitted where ${key}::text is null or exists (select from remembered)
        returning id
      )
      select (select whatsapp_shard from business), exists (select from business) as known, exists (select from accepted) as accepted`;
    if (row.accepted) return { outcome: "accepted" };
    if (!row.known) return { outcome: "unknown_business" };
    if (idempotency) {
      // A second statement, so that it sees a row that another transaction committed while the first one waited for it.
      const [stored] = await sql<Stored[]>`
        select fingerprint, status, response from idempotency_keys
        where business_id = ${scope.businessId} and key = ${idempotency.key} and expires_at > now()`;
      if (stored && stored.fingerprint !== idempotency.fingerprint) return { outcome: "mismatched" };
      if (stored) return { outcome: "replayed", status: stored.status, response: stored.response };
    }
    return { outcome: "unpaired", whatsapp_shard: row.whatsapp_shard };
  });
}
