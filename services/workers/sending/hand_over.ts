import { sharedDate } from "../../../lib/core/time.ts";
import { AppError } from "../../../lib/core/errors.ts";
import { forBusiness, getSession } from "../../../lib/db/index.ts";
import type { Business, PendingMessage, SendOutcome } from "../../../lib/db/index.ts";
import { contentOf } from "../../../lib/messages/index.ts";
import type { OutboundContent } from "../../../lib/messages/index.ts";
import type { BatchMessage } from "../../../lib/contracts/shard/index.ts";
import type { Deps } from "../deps.ts";
import { failed, outcomeOf, undecided } from "./outcome.ts";
import type { HandedOver } from "./outcome.ts";

type Recipient = Pick<Business, "id" | "whatsapp_shard" | "pacing">;

/**
 * Hands messages of a business to its shard, in order, and returns their outcomes. Messages in `bulk` yield the
 * account's pace to others. Messages behind an undecided one of their chat get no outcome. Throws "unavailable" or
 * "upstream_timeout" if the shard cannot be reached; nothing needs recording then, because the shard's ledger has what
 * it received.
 */
export async function handOver(
  deps: Pick<Deps, "db" | "router" | "shards">,
  business: Recipient,
  messages: PendingMessage[],
  bulk: ReadonlySet<string>,
): Promise<HandedOver[]> {
  try {
    const { pacing } = business;
    const batch = messages.map((message) => batchMessage(message, bulk));
    const results = await deps.shards.sendBatch(deps.router.locate(business), business.id, batch, pacing);
    const now = sharedDate();
    return messages.map((message, i) => outcomeOf(message, results[i]!, now));
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    switch (error.code) {
      case "conflict":
        return notPaired(messages);
      case "not_found":
        // Logged out, or not opened on this shard yet: a session that Postgres calls paired is retried.
        if (await isPaired(deps, business)) throw new AppError("unavailable", error.message, { cause: error });
        return notPaired(messages);
      case "invalid_request":
      case "internal":
        return bisect(deps, business, messages, bulk, error);
      default:
        throw error;
    }
  }
}

/**
 * Bisects a batch that the shard refuses as a whole to isolate the faulty message. If the first half leaves a message
 * of a chat undecided, the second half omits that chat to keep its order.
 */
async function bisect(
  deps: Pick<Deps, "db" | "router" | "shards">,
  business: Recipient,
  messages: PendingMessage[],
  bulk: ReadonlySet<string>,
  error: AppError,
): Promise<HandedOver[]> {
  const [only] = messages;
  if (only === undefined) return [];
  if (messages.length === 1) {
    return [
      error.code === "invalid_request"
        ? failed(only, "invalid_message", error.message, sharedDate())
        : undecided(only, "shard_fault", "The shard failed to handle the message.", sharedDate()),
    ];
  }
  const middle = Math.ceil(messages.length / 2);
  const first = await handOver(deps, business, messages.slice(0, middle), bulk);
  const held = new Set(chatsHeld(messages, first));
  const rest = messages.slice(middle).filter((message) => !held.has(message.chat));
  return [...first, ...(rest.length > 0 ? await handOver(deps, business, rest, bulk) : [])];
}

/** Chats of the messages that stay in the outbox. */
function chatsHeld(messages: PendingMessage[], outcomes: HandedOver[]): string[] {
  const waiting = new Set(
    outcomes
      .filter(({ status }) => status === "retry" || status === "paced" || status === "held" || status === "renamed")
      .map((outcome) => outcome.id),
  );
  return messages.filter((message) => waiting.has(message.id)).map((message) => message.chat);
}

/**
 * Ids of the broadcast messages that may be delayed. A broadcast message in front of an urgent one of its chat is not
 * among them, because it would delay that one.
 */
export function bulkAmong(messages: readonly PendingMessage[]): ReadonlySet<string> {
  const bulk = new Set<string>();
  const urgent = new Set<string>();
  for (const { id, chat, broadcast_id } of messages.toReversed()) {
    if (broadcast_id === null) urgent.add(chat);
    if (!urgent.has(chat)) bulk.add(id);
  }
  return bulk;
}

function batchMessage(
  { id, wa_message_id, chat, trace, ...row }: PendingMessage,
  bulk: ReadonlySet<string>,
): BatchMessage {
  return {
    id,
    wa_message_id,
    to: chat,
    ...(bulk.has(id) ? { bulk: true } : {}),
    ...(trace == null ? {} : { trace }),
    ...(contentOf(row) as OutboundContent),
  };
}

function notPaired(messages: PendingMessage[]): SendOutcome[] {
  const now = sharedDate();
  return messages.map((message) =>
    failed(message, "not_paired", "The business has no paired WhatsApp; connect it and send the message again.", now),
  );
}

async function isPaired({ db }: Pick<Deps, "db">, business: Recipient): Promise<boolean> {
  return (await getSession(forBusiness(db, business.id)))?.paired ?? false;
}
