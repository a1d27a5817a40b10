import { sharedDate } from "../../../lib/core/time.ts";
import { reachedStatuses } from "../../../lib/db/index.ts";
import type { InboundMessage, Message, SessionReport, StatusChange } from "../../../lib/db/index.ts";
import type { JournalEntry } from "../../../lib/contracts/shard/index.ts";
import type { Event } from "../../../lib/events/index.ts";
import type { MediaSigner } from "../../../lib/media-store/index.ts";
import { contentOf, publicContentOf } from "../../../lib/messages/index.ts";
import type { MediaLinks } from "../../../lib/messages/index.ts";
import { eventLinksS } from "../media/media_deps.ts";

/** A message arrived from a contact, or the business wrote it on its own phone. */
export function messageArrived(id: string, message: InboundMessage): Event {
  return { name: message.from_me ? "message.sent_from_phone" : "message.received", ...factsOf(id, message) };
}

/** The content of a message is known that arrived without it. */
export function messageCompleted(id: string, message: InboundMessage): Event<"message.completed"> {
  return { name: "message.completed", ...factsOf(id, message) };
}

function factsOf(id: string, message: InboundMessage): Omit<Event<"message.received">, "name"> {
  const { business_id, chat, sender, type } = message;
  // The sender chose the timestamp: one beyond the range of dates has no ISO form.
  const at = Number.isNaN(message.at.getTime()) ? sharedDate() : message.at;
  const text = message.text ?? null;
  const content = publicContentOf(contentOf({ type, text, content: message.content ?? null }), noLinks);
  return {
    business_id,
    chat,
    at,
    trace: message.trace ?? undefined,
    data: { message_id: id, chat, sender, sender_name: message.push_name ?? null, type, text, content },
  };
}

/** The file of a message that has just arrived is not in our store yet. */
const noLinks: MediaLinks = () => {
  throw new TypeError("an inbound message refers to a file that is stored already");
};

/** The file of a message was stored, or its fetch was given up. */
export function mediaSettled(message: Message, signer: MediaSigner): Event<"message.media">[] {
  const content = publicContentOf(contentOf(message), signer.links(message.business_id, eventLinksS));
  if (!("media" in content)) return [];
  const { business_id, chat, id: message_id } = message;
  const data = { message_id, chat, type: content.type, media: content.media };
  return [{ name: "message.media", business_id, chat, at: sharedDate(), data }];
}

/** One event for each status that the message reached. */
export function statusEvents(change: StatusChange): Event[] {
  const { id: message_id, business_id, chat } = change;
  const trace = change.trace ?? undefined;
  return reachedStatuses(change).flatMap(({ status, at }): Event[] => {
    if (status === "queued") return [];
    if (status !== "failed")
      return [{ name: `message.${status}`, business_id, chat, at, trace, data: { message_id, chat, status } }];
    const error = { code: change.error_code ?? "unknown", message: change.error_message ?? "" };
    return [{ name: "message.failed", business_id, chat, at, trace, data: { message_id, chat, status, error } }];
  });
}

export function sessionChanged(report: SessionReport): Event<"session.status"> {
  const { business_id, status, paired, phone, name, reason, since, observed_at: at } = report;
  const data = { status, paired, phone, name, reason, since: since.toISOString() };
  return { name: "session.status", business_id, at, data };
}

/** A contact posted a status, or withdrew one. Empty for an entry of another kind. */
export function statusPosted({ business_id, at, data }: JournalEntry<"events">): Event<"status.received">[] {
  if (data.event !== "status.received") return [];
  const { event: name, ...status } = data;
  return [{ name, business_id, at, data: status }];
}

/** Empty for an entry of another kind. */
export function passkeyStepped({ business_id, at, data }: JournalEntry<"events">): Event<"session.passkey">[] {
  if (data.event !== "session.passkey") return [];
  const { step, expires_at, reason } = data;
  return [{ name: "session.passkey", business_id, at, data: { step, expires_at, reason: reason ?? null } }];
}
