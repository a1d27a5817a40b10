import { isJidGroup, isLidUser, proto } from "@whiskeysockets/baileys";
import { randomBytes } from "node:crypto";
import type { Attachment, Card, OutboundContent, Quote } from "../../../lib/messages/index.ts";
import { fileOf } from "./attachment.ts";
import { keyOf } from "./message_key.ts";
import { vcardOf } from "./vcard.ts";

/** The names that the business goes by. */
export type Own = { phone: string; lid?: string | undefined };

/** What is sent to say `content` in `chat`. */
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
          // Phones play a voice note only if it says that it is Opus.
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
 * Whether two messages made from the same content differ: a secret that is drawn by lot. A message that is sent again
 * has to be the one that was sent first.
 */
export function isNonDeterministic({ type }: OutboundContent): boolean {
  return type === "poll";
}

const { MESSAGE_EDIT, REVOKE } = proto.Message.ProtocolMessage.Type;

/** The answered message, as the reader's phone shows it above the answer. */
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

/** Whole seconds, and at least one: phones show a file of none as broken. */
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
    // The votes are encrypted under a key made from it.
    messageContextInfo: { messageSecret: randomBytes(32) },
    // Phones take a single choice from the third version only.
    ...(max_choices === 1 ? { pollCreationMessageV3: poll } : { pollCreationMessage: poll }),
  };
}

/** What the stanza of a message says about it in the open, as WhatsApp's server wants to know it. */
export type StanzaOptions = {
  additionalAttributes?: Record<string, string>;
  additionalNodes?: { tag: string; attrs: Record<string, string> }[];
};

export function stanzaOptions({ protocolMessage, ...message }: proto.IMessage): StanzaOptions {
  if (protocolMessage?.type === MESSAGE_EDIT) return { additionalAttributes: { edit: "1" } };
  // 7: taken back by who wrote it; 8: by an administrator of the group.
  if (protocolMessage?.type === REVOKE)
    return { additionalAttributes: { edit: protocolMessage.key?.fromMe ? "7" : "8" } };
  if (message.pollCreationMessage ?? message.pollCreationMessageV3) {
    return { additionalNodes: [{ tag: "meta", attrs: { polltype: "creation" } }] };
  }
  return {};
}
