import { AppError } from "../../../../lib/core/errors.ts";
import { uuidv7, whatsappMessageId } from "../../../../lib/core/ids.ts";
import { sha256Hex } from "../../../../lib/core/secret.ts";
import { createGroupCommit, forNobody, submitMessages } from "../../../../lib/db/index.ts";
import type { BusinessScope, Database, Idempotency, NewMessage, Submission, Submit } from "../../../../lib/db/index.ts";
import { payloadBytes } from "../../../../lib/quotas/index.ts";
import type { OutboxQuota } from "../../../../lib/quotas/index.ts";
import { storedContent } from "../../../../lib/messages/index.ts";
import { noSuchBusiness } from "../../http/auth/guards.ts";
import { idempotencyMismatch } from "../../http/idempotency.ts";
import { askShard } from "../sessions/live_session.ts";
import type { ShardAccess } from "../sessions/live_session.ts";
import { resolveContent } from "./content.ts";
import type { MessageRequest } from "./request.ts";

export type Accepted = { id: string; status: "queued" };

/** Writes a message into its outbox, together with others that come at the same time. */
export type Outbox = (submit: Submit) => Promise<Submission>;

/**
 * The outbox of a process. Sixty-four messages take Postgres about as long as five alone; two commits under way keep
 * it busy while the next gather. Beyond `maxWaiting` a caller would wait longer than it takes to come again.
 */
export function createOutbox(db: Database): Outbox {
  return createGroupCommit<Submit, Submission>({
    commit: (submits) => submitMessages(forNobody(db), submits),
    isItemsFault: (error) => !(error instanceof AppError && error.code === "unavailable"),
    maxItems: 64,
    maxCommits: 2,
    maxWaiting: 2_000,
    overload: () =>
      new AppError("unavailable", "More messages come than can be stored now; try again shortly.", { retryAfterS: 1 }),
  });
}

/**
 * Puts a message into the outbox: `fresh` unless the same request was answered before, in which case it is that
 * answer. Throws "idempotency_mismatch", "conflict" when the business is not paired, "not_found" when there is none, and "quota_exceeded"
 * when the business has too much queued; that check costs no query.
 */
export async function submit(
  outbox: Outbox,
  quota: OutboxQuota,
  access: ShardAccess,
  scope: BusinessScope,
  request: MessageRequest,
  key: string | undefined,
): Promise<{ answer: Accepted; fresh: boolean }> {
  const id = uuidv7();
  const answer: Accepted = { id, status: "queued" };
  const { to: chat, expires_at, ...requested } = request;
  const content = storedContent(await resolveContent(scope, chat, requested));
  const message: NewMessage = { id, chat, ...content, wa_message_id: whatsappMessageId(id), expires_at };
  const idempotency: Idempotency | undefined =
    key === undefined ? undefined : { key, fingerprint: fingerprint(request), status: 202, response: answer };

  const bytes = payloadBytes(content.text, content.content);
  const room = quota.hold(scope.businessId, { queued_messages: 1, queued_bytes: bytes });
  try {
    let submission = await outbox({ scope, message, options: { idempotency } });
    if (submission.outcome === "unpaired" && (await isPaired(access, scope.businessId, submission.whatsapp_shard))) {
      submission = await outbox({ scope, message, options: { idempotency, knownPaired: true } });
    }
    if (submission.outcome === "accepted") room.keep();
    return settle(submission, answer);
  } finally {
    room.release();
  }
}

/** The mirror says "not paired", and it may lag: the shard knows. */
async function isPaired(access: ShardAccess, id: string, whatsapp_shard: number | null): Promise<boolean> {
  const view = await askShard(access, { id, whatsapp_shard });
  return view?.paired === true;
}

function settle(submission: Submission, answer: Accepted): { answer: Accepted; fresh: boolean } {
  switch (submission.outcome) {
    case "accepted":
      return { answer, fresh: true };
    case "replayed":
      return { answer: submission.response as Accepted, fresh: false };
    case "mismatched":
      throw idempotencyMismatch();
    case "unpaired":
      throw new AppError(
        "conflict",
        "This business has no paired WhatsApp: POST …/whatsapp/connect and scan the QR, then send again.",
      );
    case "unknown_business":
      throw noSuchBusiness();
  }
}

/** The same for the same request, however its JSON was written. */
function fingerprint(request: MessageRequest): string {
  return sha256Hex(JSON.stringify(["POST messages", Object.entries(request).toSorted(([a], [b]) => (a < b ? -1 : 1))]));
}
