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
 * Hands messages of a business to its shard, in order, and says what to record of them. Those that `bulk` names leave
 * the account's pace to others first. Messages that must wait for an undecided one of their chat get no outcome. Throws
 * "unavailable" or "upstream_timeout" where the shard cannot be asked at all now: nothing needs recording then, because
 * its ledger knows what it was handed.
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
        // Logged out, or on its way to this shard: a session that is thought to be paired is waited for.
        if (await isPaired(deps, business)) throw new AppError("unavailable", error.message, { cause: error });
        return notPaired(messages);
      case "invalid_request":
      case "internal":
        return oneByOne(deps, business, messages, bulk, error);
      default:
        throw error;
    }
  }
}

/**
 * A message that the shard cannot take spoils the whole batch: halving finds it, and the others go out. Where an
 * earlier half left a message of a chat undecided, the later half leaves that chat out, so that nothing overtakes.
 */
async function oneByOne(
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
      .filter(({ status }) => status === "retry" || status === "paced" || status === "held")
      .map((outcome) => outcome.id),
  );
  return messages.filter((message) => waiting.has(message.id)).map((message) => message.chat);
}

/**
 * What broadcasts have among these, by id. But for what stands in front of something more urgent in its chat: it would hold
 * that up, so it is as urgent.
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

function batchMessage({ id, wa_message_id, chat, ...row }: PendingMessage, bulk: ReadonlySet<string>): BatchMessage {
  return {
    id,
    wa_message_id,
    to: chat,
    ...(bulk.has(id) ? { bulk: true } : {}),
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
