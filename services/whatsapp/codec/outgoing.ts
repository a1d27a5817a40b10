import { isJidGroup, isLidUser, proto } from "@whiskeysockets/baileys";
import { randomBytes } from "node:crypto";
import type { Attachment, Card, OutboundContent, Quote } from "../../../lib/messages/index.ts";
import { fileOf } from "./attachment.ts";
import { keyOf } from "./message_key.ts";
import { vcardOf } from "./vcard.ts";

/** The JIDs of the business's own account. */
export type Own = { phone: string; lid?: string | undefined };

/** Encodes content as a WhatsApp message. */
export function outgoingMessage(content: OutboundContent, chat: string, own: Own): proto.IMessage {
  switch (content.type) {
    case "text":
      return { extendedTextMessage: { text: content.text, contextInfo: contextOf(content.reply_to, chat, own) } };
    case "image":
      return {
        imageMessage: {
          ...fileOf(content.media),
          caption: content.caption,
          contextInfo: contextOf(content.reply_to, chat, own),
        },
      };
    case "video":
      return {
        videoMessage: {
          ...fileOf(content.media),
          ...playing(content.media),
          caption: content.caption,
          contextInfo: contextOf(content.reply_to, chat, own),
        },
      };
    case "audio":
      return {
        audioMessage: {
          ...fileOf(content.media),
          ...playing(content.media),
          // Phones play a voice note only if it declares Opus.
          ...(content.voice ? { ptt: true, mimetype: "audio/ogg; codecs=opus" } : {}),
          contextInfo: contextOf(content.reply_to, chat, own),
        },
      };
    case "document":
      return {
        documentMessage: {
          ...fileOf(content.media),
          fileName: content.file_name,
          title: content.file_name,
          caption: content.caption,
          contextInfo: contextOf(content.reply_to, chat, own),
        },
      };
    case "location":
      return {
        locationMessage: {
          degreesLatitude: content.latitude,
          degreesLongitude: content.longitude,
          name: content.name,
          address: content.address,
          contextInfo: contextOf(content.reply_to, chat, own),
        },
      };
    case "contact":
      return contactMessage(content.contacts, contextOf(content.reply_to, chat, own));
    case "poll":
      return pollMessage(content, contextOf(content.reply_to, chat, own));
    case "reaction":
      return {
        reactionMessage: { key: keyOf(chat, content.target), text: content.emoji, senderTimestampMs: Date.now() },
      };
    case "edit":
      return {
        protocolMessage: {
          type: MESSAGE_EDIT,
          key: keyOf(chat, content.target),
          editedMessage: { extendedTextMessage: { text: content.text } },
          timestampMs: Date.now(),
        },
      };
    case "delete":
      return { protocolMessage: { type: REVOKE, key: keyOf(chat, content.target) } };
  }
}

/**
 * True if encoding the same content twice gives different messages, because of a random secret. A resent message has to
 * be the one that was sent first.
 */
export function isNonDeterministic({ type }: OutboundContent): boolean {
  return type === "poll";
}

const { MESSAGE_EDIT, REVOKE } = proto.Message.ProtocolMessage.Type;

/** The quoted message, as phones show it above a reply. */
function contextOf(quote: Quote | undefined, chat: string, own: Own): proto.IContextInfo | undefined {
  if (quote === undefined) return undefined;
  const ownName = isLidUser(chat) && own.lid ? own.lid : own.phone;
  const theirs = quote.sender ?? (isJidGroup(chat) ? undefined : chat);
  return {
    stanzaId: quote.wa_message_id,
    participant: quote.from_me ? ownName : theirs,
    quotedMessage: { conversation: quote.text ?? "" },
  };
}

/** At least one whole second: phones show a file of zero seconds as broken. */
const playing = ({ seconds }: Attachment) =>
  seconds === undefined ? {} : { seconds: Math.max(1, Math.round(seconds)) };

function contactMessage(cards: Card[], contextInfo: proto.IContextInfo | undefined): proto.IMessage {
  const contacts = cards.map((card) => ({ displayName: card.name, vcard: vcardOf(card) }));
  const [only] = contacts;
  if (only !== undefined && contacts.length === 1) return { contactMessage: { ...only, contextInfo } };
  return { contactsArrayMessage: { displayName: `${contacts.length} contacts`, contacts, contextInfo } };
}

function pollMessage(
  { question, options, max_choices }: Extract<OutboundContent, { type: "poll" }>,
  contextInfo: proto.IContextInfo | undefined,
): proto.IMessage {
  const poll = {
    name: question,
    options: options.map((optionName) => ({ optionName })),
    selectableOptionsCount: max_choices,
    contextInfo,
  };
  return {
    // The key of the votes is derived from it.
    messageContextInfo: { messageSecret: randomBytes(32) },
    // Phones accept a single choice only in the third version.
    ...(max_choices === 1 ? { pollCreationMessageV3: poll } : { pollCreationMessage: poll }),
  };
}

/** The parts of a message's stanza that WhatsApp's server reads, outside the encryption. */
export type StanzaOptions = {
  additionalAttributes?: Record<string, string>;
  additionalNodes?: { tag: string; attrs: Record<string, string> }[];
};

export function stanzaOptions({ protocolMessage, ...message }: proto.IMessage): StanzaOptions {
  if (protocolMessage?.type === MESSAGE_EDIT) return { additionalAttributes: { edit: "1" } };
  // 7: deleted by its writer; 8: by a group administrator.
  if (protocolMessage?.type === REVOKE)
    return { additionalAttributes: { edit: protocolMessage.key?.fromMe ? "7" : "8" } };
  if (message.pollCreationMessage ?? message.pollCreationMessageV3) {
    return { additionalNodes: [{ tag: "meta", attrs: { polltype: "creation" } }] };
  }
  return {};
}
