import { AppError } from "../../../../lib/core/errors.ts";
import { getMessage, resolveChat, useMedia } from "../../../../lib/db/index.ts";
import type { BusinessScope, Message } from "../../../../lib/db/index.ts";
import { unfitFor } from "../../../../lib/media/index.ts";
import type { Attachment, OutboundContent, Quote, Reference } from "../../../../lib/messages/index.ts";
import type { RequestedContent } from "./request.ts";

/**
 * Resolves the ids in a request's content to the stored form: WhatsApp's ids of messages, and attributes of media.
 * Throws "invalid_request" if a message is not in the chat, or does not allow the action.
 */
export async function resolveContent(
  scope: BusinessScope,
  chat: string,
  content: RequestedContent,
): Promise<OutboundContent> {
  const account = isReferring(content) ? await resolveChat(scope, chat) : chat;
  if ("target" in content) {
    const target = await messageInChat(scope, account, content.target, "target");
    assertAllowed(target, content.type);
    return { ...content, target: referenceTo(target) };
  }
  const { reply_to, ...rest } =
    "media" in content ? { ...content, media: await attachmentOf(scope, content) } : content;
  if (reply_to === undefined) return rest;
  return { ...rest, reply_to: quoteOf(await messageInChat(scope, account, reply_to, "reply_to")) };
}

/** True if the content refers to another message of the chat. */
const isReferring = (content: RequestedContent): boolean =>
  "target" in content || ("reply_to" in content && content.reply_to !== undefined);

/** Loads the file and marks it as used. Throws if it does not exist or WhatsApp would not display it as this type. */
async function attachmentOf(
  scope: BusinessScope,
  content: Extract<RequestedContent, { media: string }>,
): Promise<Attachment> {
  const media = await useMedia(scope, content.media.toLowerCase());
  if (media === undefined) throw refusal("media", "There is no such media. Upload the file first.");
  const unfit = unfitFor(content.type, media);
  if (unfit !== undefined) throw refusal("media", unfit);
  if (content.type === "audio" && content.voice && media.mime !== "audio/ogg") {
    throw refusal(
      "media",
      `A voice note must be Ogg with Opus; this file is ${media.mime}. Send it without \`voice\`.`,
    );
  }
  const { id, mime, size, width, height, seconds } = media;
  return {
    id,
    mime,
    size,
    ...(width === null ? {} : { width }),
    ...(height === null ? {} : { height }),
    ...(seconds === null ? {} : { seconds }),
  };
}

async function messageInChat(scope: BusinessScope, chat: string, id: string, field: string): Promise<Message> {
  const message = await getMessage(scope, id);
  if (message !== undefined && (message.chat === chat || (await resolveChat(scope, message.chat)) === chat))
    return message;
  throw refusal(field, "There is no such message in this chat. Check the id and `to`.");
}

/** Only own texts can be edited. In groups, WhatsApp decides whether a message of another person can be deleted. */
function assertAllowed(target: Message, kind: "reaction" | "edit" | "delete"): void {
  const own = target.direction === "outbound";
  if (kind === "edit" && !(own && target.type === "text"))
    throw refusal("target", "Only text messages sent by the business can be edited.");
  if (kind === "delete" && !own && !target.chat.endsWith("@g.us")) {
    throw refusal("target", "Only messages sent by the business can be deleted for everyone in this chat.");
  }
}

function referenceTo({ id, wa_message_id, direction, sender }: Message): Reference {
  const from_me = direction === "outbound";
  return { id, wa_message_id, from_me, ...(from_me || sender === null ? {} : { sender }) };
}

function quoteOf(message: Message): Quote {
  return { ...referenceTo(message), type: message.type, ...(message.text === null ? {} : { text: message.text }) };
}

function refusal(field: string, message: string): AppError {
  return new AppError("invalid_request", message, { faults: [{ field, message }] });
}
