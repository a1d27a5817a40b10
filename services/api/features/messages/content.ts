import { AppError } from "../../../../lib/core/errors.ts";
import { getMessage, useMedia } from "../../../../lib/db/index.ts";
import type { BusinessScope, Message } from "../../../../lib/db/index.ts";
import { unfitFor } from "../../../../lib/media/index.ts";
import type { Attachment, OutboundContent, Quote, Reference } from "../../../../lib/messages/index.ts";
import type { RequestedContent } from "./request.ts";

/**
 * What is stored of a request's content: the messages it names by id, as WhatsApp names them. Throws "invalid_request"
 * where it names one that is not in the chat, or that does not bear what is asked.
 */
export async function resolveContent(
  scope: BusinessScope,
  chat: string,
  content: RequestedContent,
): Promise<OutboundContent> {
  if ("target" in content) {
    const target = await messageInChat(scope, chat, content.target, "target");
    assertBears(target, content.type);
    return { ...content, target: referenceTo(target) };
  }
  const { reply_to, ...rest } =
    "media" in content ? { ...content, media: await attachmentOf(scope, content) } : content;
  if (reply_to === undefined) return rest;
  return { ...rest, reply_to: quoteOf(await messageInChat(scope, chat, reply_to, "reply_to")) };
}

/** The file that a message goes with; it is kept from now on. Throws where there is none, or WhatsApp would not show it as what it is sent as. */
async function attachmentOf(
  scope: BusinessScope,
  content: Extract<RequestedContent, { media: string }>,
): Promise<Attachment> {
  const media = await useMedia(scope, content.media.toLowerCase());
  if (media === undefined) throw refusal("media", "There is no such media: upload it first.");
  const unfit = unfitFor(content.type, media);
  if (unfit !== undefined) throw refusal("media", unfit);
  if (content.type === "audio" && content.voice && media.mime !== "audio/ogg") {
    throw refusal("media", `A voice note is Ogg with Opus, and this is ${media.mime}: send it without \`voice\`.`);
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
  if (message?.chat === chat) return message;
  throw refusal(field, "There is no such message in this chat.");
}

/** Only the text of one's own message can be changed. Whether it can be taken back is WhatsApp's to say, in a group. */
function assertBears(target: Message, kind: "reaction" | "edit" | "delete"): void {
  const own = target.direction === "outbound";
  if (kind === "edit" && !(own && target.type === "text"))
    throw refusal("target", "Only a text of the business's own can be edited.");
  if (kind === "delete" && !own && !target.chat.endsWith("@g.us")) {
    throw refusal("target", "Only a message of the business's own can be deleted for everyone.");
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
