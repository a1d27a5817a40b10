import { sharedDate } from "../../../lib/core/time.ts";
import { passages } from "../../../lib/db/index.ts";
import type { Announcement, InboundMessage, Message, SessionReport, StatusChange } from "../../../lib/db/index.ts";
import type { MediaSigner } from "../../../lib/media-store/index.ts";
import { contentOf, publicContentOf } from "../../../lib/messages/index.ts";
import type { MediaLinks } from "../../../lib/messages/index.ts";
import { eventLinksS } from "../media/media_deps.ts";
import type { EventData, WebhookEvent } from "../../../lib/webhooks/events.ts";

type About<E extends WebhookEvent> = {
  chat?: string;
  at: Date;
  data: Omit<EventData<E>, "business_id">;
};

/** An event of a business, with the data that its schema asks for. */
export function announcement<E extends WebhookEvent>(
  business_id: string,
  event: E,
  { chat, at, data }: About<E>,
): Announcement {
  return { business_id, event, chat: chat ?? null, at, data };
}

export function received(id: string, message: InboundMessage): Announcement {
  return announcement(message.business_id, "message.received", {
    chat: message.chat,
    at: message.at,
    data: {
      message_id: id,
      chat: message.chat,
      sender: message.sender,
      sender_name: message.push_name ?? null,
      type: message.type,
      text: message.text ?? null,
      content: publicContentOf(
        contentOf({ type: message.type, text: message.text ?? null, content: message.content ?? null }),
        noLinks,
      ),
    },
  });
}

/** A message that has just come has no file of ours yet. */
const noLinks: MediaLinks = () => {
  throw new TypeError("a message came with a file that is ours already");
};

/** The file of a message is there, or will never be. */
export function mediaSettled(message: Message, signer: MediaSigner): Announcement[] {
  const content = publicContentOf(contentOf(message), signer.links(message.business_id, eventLinksS));
  if (!("media" in content)) return [];
  const { business_id, chat, id: message_id } = message;
  return [
    announcement(business_id, "message.media", {
      chat,
      at: sharedDate(),
      data: { message_id, chat, type: content.type, media: content.media },
    }),
  ];
}

/** An event for each status that the message came to. */
export function moved(change: StatusChange): Announcement[] {
  const { id: message_id, business_id, chat } = change;
  return passages(change).flatMap(({ status, at }) => {
    if (status === "queued") return [];
    if (status !== "failed")
      return [announcement(business_id, `message.${status}`, { chat, at, data: { message_id, chat, status } })];
    const error = { code: change.error_code ?? "unknown", message: change.error_message ?? "" };
    return [announcement(business_id, "message.failed", { chat, at, data: { message_id, chat, status, error } })];
  });
}

export function sessionChanged({
  business_id,
  status,
  paired,
  phone,
  name,
  reason,
  since,
  observed_at,
}: SessionReport): Announcement {
  const data = { status, paired, phone, name, reason, since: since.toISOString() };
  return announcement(business_id, "session.status", { at: observed_at, data });
}
