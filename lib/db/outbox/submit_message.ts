import { sharedNow } from "../../core/time.ts";
import type { MessageContent } from "../../messages/index.ts";
import { toJson } from "../client/json.ts";
import { sql } from "../client/literal.ts";
import type { Statement } from "../client/literal.ts";
import type { Message } from "../schema.ts";
import type { BusinessScope, Scope } from "../scope.ts";

/** Hours for which the answer to an Idempotency-Key is kept. */
export const idempotencyTtlHours = 24;

export type NewMessage = Pick<Message, "id" | "chat" | "type" | "text" | "wa_message_id"> & {
  content?: MessageContent | null | undefined;
  /** After this it fails instead of being sent. */
  expires_at?: Date | null | undefined;
  /** W3C traceparent of the request, if it is sampled. */
  trace?: string | undefined;
};

/** Binds a request to its answer: the same key and fingerprint replay `response`. */
export type Idempotency = { key: string; fingerprint: string; status: number; response: Record<string, unknown> };

export type Submission =
  | { outcome: "accepted" }
  /** The same request used the key before: this was its answer. */
  | { outcome: "replayed"; status: number; response: Record<string, unknown> }
  /** Another request used the key before. */
  | { outcome: "mismatched" }
  /** The mirror of sessions knows no paired session of the business; nothing was written. */
  | { outcome: "unpaired"; whatsapp_shard: number | null }
  | { outcome: "unknown_business" };

export type SubmitOptions = {
  idempotency?: Idempotency | undefined;
  /** The shard confirmed that the business is paired: the mirror is ignored. */
  knownPaired?: boolean;
};

/** A message with the scope of its business. */
export type Submit = { scope: BusinessScope; message: NewMessage; options?: SubmitOptions };

type Row = {
  place: number;
  outcome: Submission["outcome"];
  whatsapp_shard: number | null;
  status: number;
  response: Record<string, unknown>;
};

/** Enqueues a message together with its idempotency key; of concurrent calls with one key, one writes. */
export async function submitMessage(
  scope: BusinessScope,
  message: NewMessage,
  options: SubmitOptions = {},
): Promise<Submission> {
  const [row] = await scope.ask<[Row]>(statementOf([{ scope, message, options }]));
  return submissionOf(row);
}

/**
 * Enqueues many messages of many businesses in one commit; returns results in the order of the messages. Each row is
 * written in the scope of its own business, whatever `scope` sees. If Postgres refuses one, all fail.
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
