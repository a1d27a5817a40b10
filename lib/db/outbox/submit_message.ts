import { sharedNow } from "../../core/time.ts";
import type { MessageContent } from "../../messages/index.ts";
import { toJson } from "../client/json.ts";
import { sql } from "../client/literal.ts";
import type { Statement } from "../client/literal.ts";
import type { Message } from "../schema.ts";
import type { BusinessScope, Scope } from "../scope.ts";

/** How long the answer to an Idempotency-Key is kept. */
export const idempotencyTtlHours = 24;

export type NewMessage = Pick<Message, "id" | "chat" | "type" | "text" | "wa_message_id"> & {
  content?: MessageContent | null | undefined;
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

/** A message with the business whose outbox it goes into: only its scope can name it. */
export type Submit = { scope: BusinessScope; message: NewMessage; options?: SubmitOptions };

type Row = {
  place: number;
  outcome: Submission["outcome"];
  whatsapp_shard: number | null;
  status: number;
  response: Record<string, unknown>;
};

/** Writes an outbound message and its idempotency key together; of any number of parallel calls with one key, one writes. */
export async function submitMessage(
  scope: BusinessScope,
  message: NewMessage,
  options: SubmitOptions = {},
): Promise<Submission> {
  const [row] = await scope.ask<[Row]>(statementOf([{ scope, message, options }]));
  return submissionOf(row);
}

/**
 * The same for many messages of many businesses, in one commit; results in the order of the messages. Each row is
 * written in the scope of its own business, so what `scope` sees does not matter. One that Postgres refuses fails all.
 */
export async function submitMessages(scope: Pick<Scope, "ask">, submits: readonly Submit[]): Promise<Submission[]> {
  const rows = await scope.ask<Row[]>(statementOf(submits));
  const submissions = Array<Submission>(submits.length);
  for (const row of rows) submissions[row.place] = submissionOf(row);
  return submissions;
}

function statementOf(submits: readonly Submit[]): Statement {
  const batch = submits.map(({ scope, message, options: { idempotency, knownPaired = false } = {} }, n) => ({
    n,
    business_id: scope.businessId,
    ...message,
    known_paired: knownPaired,
    ...(idempotency ? { ...idempotency, key_expires_at: new Date(sharedNow() + idempotencyTtlHours * 3_600_000) } : {}),
  }));
  return sql`select * from submit_messages(${toJson(batch)})`;
}

function submissionOf({ outcome, whatsapp_shard, status, response }: Row): Submission {
  if (outcome === "replayed") return { outcome, status, response };
  if (outcome === "unpaired") return { outcome, whatsapp_shard };
  return { outcome };
}
