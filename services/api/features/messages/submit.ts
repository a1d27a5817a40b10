import { AppError } from "../../../../lib/core/errors.ts";
import { uuidv7, whatsappMessageId } from "../../../../lib/core/ids.ts";
import { sha256Hex } from "../../../../lib/core/secret.ts";
import {
  createGroupCommit,
  forNobody,
  isLockTimeout,
  submitMessage,
  submitMessages,
} from "../../../../lib/db/index.ts";
import type { BusinessScope, Database, Idempotency, NewMessage, Submission, Submit } from "../../../../lib/db/index.ts";
import { payloadBytes } from "../../../../lib/quotas/index.ts";
import type { OutboxQuota } from "../../../../lib/quotas/index.ts";
import { storedContent } from "../../../../lib/messages/index.ts";
import { currentSpan, currentTraceparent } from "../../../../lib/tracing/index.ts";
import { noSuchBusiness } from "../../http/auth/guards.ts";
import { idempotencyMismatch } from "../../http/idempotency.ts";
import { fetchSession } from "../sessions/live_session.ts";
import type { ShardAccess } from "../sessions/live_session.ts";
import { resolveContent } from "./content.ts";
import type { MessageRequest } from "./request.ts";

export type Accepted = { id: string; status: "queued" };

/** A message with its size, about. */
type SizedSubmit = Submit & { bytes: number };

/** Inserts a message into its outbox, batched with concurrent ones. */
export type Outbox = (submit: SizedSubmit) => Promise<Submission>;

/**
 * One message of the longest text, or a thousand short ones. Postgres stores it in a few milliseconds, for which the
 * messages of other businesses in the same commit wait.
 */
const maxCommitBytes = 256 * 1024;

/**
 * A message waits while a request with its Idempotency-Key runs. A group that has waited this long commits its messages
 * one by one, each over its own business's share of the connections.
 */
const groupLockMs = 200;

/**
 * Group commit for the messages of this process. Postgres commits 64 messages in the time of five single ones. Two
 * commits in flight keep it busy while the next batch fills. Beyond `maxWaiting` a retry is faster than waiting.
 */
export function createOutbox(db: Database): Outbox {
  return createGroupCommit<SizedSubmit, Submission>({
    // A commit serves several requests, so it lasts as long as one of them waits.
    commit: (submits) => submitMessages(forNobody(db, Math.max(...submits.map(dueAtOf)), groupLockMs), submits),
    dueAtOf,
    expired: () => new AppError("unavailable", "The message was not stored in time. Retry.", { retryAfterS: 1 }),
    ownerOf: ({ scope }) => scope.businessId,
    isItemsFault: (error) => !(error instanceof AppError && error.code === "unavailable"),
    blocked: {
      isBlocked: isLockTimeout,
      commitAlone: ({ scope, message, options }) => submitMessage(scope, message, options),
    },
    maxItems: 64,
    bytesOf: ({ bytes }) => bytes,
    maxBytes: maxCommitBytes,
    maxCommits: 2,
    maxWaiting: 2_000,
    overload: () =>
      new AppError("unavailable", "Too many messages are being stored. Retry shortly.", { retryAfterS: 1 }),
  });
}

const dueAtOf = ({ scope }: Submit): number => scope.dueAt;

/**
 * Enqueues a message in the outbox. `fresh` is false if the Idempotency-Key replayed an earlier response. Throws
 * "idempotency_mismatch", "conflict" if the business is not paired, "not_found" if it does not exist, and
 * "quota_exceeded" if too much is queued. The quota check costs no query.
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
  const trace = currentTraceparent();
  const message: NewMessage = { id, chat, ...content, wa_message_id: whatsappMessageId(id), expires_at, trace };
  currentSpan()?.set({ "prosaas.business_id": scope.businessId, "prosaas.message_id": id });
  const idempotency: Idempotency | undefined =
    key === undefined ? undefined : { key, fingerprint: fingerprint(request), status: 202, response: answer };

  const bytes = payloadBytes(content.text, content.content);
  const reservation = quota.hold(scope.businessId, { queued_messages: 1, queued_bytes: bytes });
  try {
    let submission = await outbox({ scope, message, bytes, options: { idempotency } });
    if (submission.outcome === "unpaired" && (await isPaired(access, scope.businessId, submission.whatsapp_shard))) {
      submission = await outbox({ scope, message, bytes, options: { idempotency, knownPaired: true } });
    }
    if (submission.outcome === "accepted") reservation.keep();
    return answerOf(submission, answer);
  } finally {
    reservation.release();
  }
}

/** Asks the shard, because the state stored in the database may lag. */
async function isPaired(access: ShardAccess, id: string, whatsapp_shard: number | null): Promise<boolean> {
  const view = await fetchSession(access, { id, whatsapp_shard });
  return view?.paired === true;
}

function answerOf(submission: Submission, answer: Accepted): { answer: Accepted; fresh: boolean } {
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
        "This business has no linked phone. POST …/whatsapp/connect and scan the QR code, then send again.",
      );
    case "unknown_business":
      throw noSuchBusiness();
  }
}

/** Independent of the JSON's formatting and the order of its members. */
function fingerprint(request: MessageRequest): string {
  return sha256Hex(JSON.stringify(["POST messages", Object.entries(request).toSorted(([a], [b]) => (a < b ? -1 : 1))]));
}
