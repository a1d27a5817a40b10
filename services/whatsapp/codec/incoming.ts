import type { proto } from "@whiskeysockets/baileys";
import type { MessageContent, Quote } from "../../../lib/messages/index.ts";
import { referenceOf } from "./message_key.ts";
import type { KeyContext } from "./message_key.ts";
import { chosenOptions } from "./poll_vote.ts";
import { attachmentOf } from "./attachment.ts";
import { boundedContent, truncate, maxItems, maxText } from "./bounds.ts";
import { captionOf, changeOf, sealedChangeOf, sealedReactionOf } from "./change.ts";
import { choiceIn, promptIn } from "./choice.ts";
import type { Original } from "./original.ts";
import { unwrapped } from "./unwrap.ts";
import { phonesOf } from "./vcard.ts";

export type Incoming = KeyContext & {
  /** An earlier message, as far as changes and votes need it. */
  original: (waMessageId: string) => Original | undefined;
  /** WhatsApp's server let it pass as a group administrator's deletion. */
  isAdministrators: boolean;
  /** All JIDs of the message's writer. */
  names: { writer: string[] };
};

/** The content of a message, bounded in size; undefined for protocol messages between devices. */
export function incomingContent(message: proto.IMessage, incoming: Incoming): MessageContent | undefined {
  const content = contentOf(message, incoming);
  return content && boundedContent(content);
}

function contentOf(message: proto.IMessage, incoming: Incoming): MessageContent | undefined {
  const { content, kind } = unwrapped(message);
  if (kind === undefined) return undefined;
  const reply_to = quoteOf(content[kind as keyof proto.IMessage], incoming);
  const answers = reply_to === undefined ? {} : { reply_to };
  switch (kind) {
    case "conversation":
      return { type: "text", text: content.conversation ?? "" };
    case "extendedTextMessage":
      return { type: "text", text: content.extendedTextMessage?.text ?? "", ...answers };
    case "locationMessage":
      return { ...locationOf(content.locationMessage), ...answers };
    case "liveLocationMessage":
      return { ...locationOf(content.liveLocationMessage), ...answers };
    case "contactMessage":
      return { type: "contact", contacts: [cardOf(content.contactMessage)], ...answers };
    case "contactsArrayMessage":
      return {
        type: "contact",
        contacts: (content.contactsArrayMessage?.contacts ?? []).slice(0, maxItems).map(cardOf),
        ...answers,
      };
    case "pollCreationMessage":
    case "pollCreationMessageV2":
    case "pollCreationMessageV3":
    case "pollCreationMessageV5":
      return { ...pollOf(content[kind]), ...answers };
    case "imageMessage":
      return { type: "image", ...attachmentOf(content.imageMessage), ...captionIn(content.imageMessage), ...answers };
    case "videoMessage":
    case "ptvMessage":
      return { type: "video", ...attachmentOf(content[kind]), ...captionIn(content[kind]), ...answers };
    case "audioMessage":
      return {
        type: "audio",
        ...attachmentOf(content.audioMessage),
        voice: content.audioMessage?.ptt === true,
        ...answers,
      };
    case "documentMessage": {
      const { fileName } = content.documentMessage ?? {};
      return {
        type: "document",
        ...attachmentOf(content.documentMessage),
        ...captionIn(content.documentMessage),
        ...(fileName ? { file_name: fileName } : {}),
        ...answers,
      };
    }
    case "stickerMessage":
      return { type: "sticker", ...attachmentOf(content.stickerMessage), ...answers };
    case "reactionMessage": {
      const target = referenceOf(content.reactionMessage?.key, incoming);
      return target && { type: "reaction", target, emoji: content.reactionMessage?.text ?? "" };
    }
    case "pollUpdateMessage":
      return voteOf(content.pollUpdateMessage, incoming);
    case "protocolMessage":
      return changeOf(content.protocolMessage, incoming);
    case "secretEncryptedMessage":
      return sealedChangeOf(content.secretEncryptedMessage!, incoming);
    case "encReactionMessage":
      return sealedReactionOf(content.encReactionMessage!, incoming);
    // It announces pictures, which follow as messages of their own.
    case "albumMessage":
    case "deviceSentMessage":
    // They change how phones show a chat: a message is pinned to the top, or kept in a disappearing chat.
    case "pinInChatMessage":
    case "keepInChatMessage":
    // A member shared earlier messages of the group with a new one; they come as a file that companions do not read.
    case "messageHistoryNotice":
    // A status names the business. Statuses are not journaled.
    case "statusMentionMessage":
      return undefined;
    default: {
      const choice = choiceIn(content);
      if (choice) return { type: "text", ...choice, ...answers };
      const text = promptIn(content);
      return { type: "unknown", kind, ...(text === undefined ? {} : { text }) };
    }
  }
}

function quoteOf(content: unknown, incoming: Incoming): Quote | undefined {
  const { contextInfo } = (typeof content === "object" && content !== null ? content : {}) as {
    contextInfo?: proto.IContextInfo | null;
  };
  if (!contextInfo?.stanzaId) return undefined;
  const author = contextInfo.participant ?? "";
  const key = {
    id: contextInfo.stanzaId,
    remoteJid: incoming.chat,
    participant: author,
    fromMe: incoming.isOwn(author),
  };
  const reference = referenceOf(key, { ...incoming, fromMe: true });
  if (reference === undefined) return undefined;
  const quoted = unwrapped(contextInfo.quotedMessage ?? {}).content;
  const text = quoted.conversation || quoted.extendedTextMessage?.text || captionOf(quoted);
  return text ? { ...reference, text } : reference;
}

type Location = {
  degreesLatitude?: number | null;
  degreesLongitude?: number | null;
  name?: string | null;
  address?: string | null;
};

function locationOf(location: Location | null | undefined): Extract<MessageContent, { type: "location" }> {
  return {
    type: "location",
    latitude: location?.degreesLatitude ?? 0,
    longitude: location?.degreesLongitude ?? 0,
    ...(location?.name ? { name: location.name } : {}),
    ...(location?.address ? { address: location.address } : {}),
  };
}

function cardOf(contact: proto.Message.IContactMessage | null | undefined) {
  return { name: contact?.displayName ?? "", phones: phonesOf(truncate(contact?.vcard ?? "", maxText)) };
}

function pollOf(
  poll: proto.Message.IPollCreationMessage | null | undefined,
): Extract<MessageContent, { type: "poll" }> {
  return {
    type: "poll",
    question: poll?.name ?? "",
    options: (poll?.options ?? []).map(({ optionName }) => optionName ?? ""),
    max_choices: poll?.selectableOptionsCount ?? 0,
  };
}

function voteOf(
  update: proto.Message.IPollUpdateMessage | null | undefined,
  incoming: Incoming,
): MessageContent | undefined {
  const target = referenceOf(update?.pollCreationMessageKey, incoming);
  if (target === undefined) return undefined;
  const poll = incoming.original(target.wa_message_id);
  const options =
    poll && update?.vote
      ? chosenOptions(update.vote, {
          poll: poll.message,
          pollId: target.wa_message_id,
          creators: poll.authors,
          voters: incoming.names.writer,
        })
      : undefined;
  return { type: "poll_vote", target, ...(options === undefined ? {} : { options }) };
}

const captionIn = (file: { caption?: string | null } | null | undefined) =>
  file?.caption ? { caption: file.caption } : {};
