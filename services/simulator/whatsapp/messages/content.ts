import { encodeWAMessage, normalizeMessageContent, proto, unpadRandomMax16 } from "@whiskeysockets/baileys";
import { expirationOf } from "./expiring.ts";
import { fileIn } from "../media/file.ts";

/** Encodes the plaintext of a message: the message, then 1 to 16 bytes of padding. */
export function pad(message: proto.IMessage): Buffer {
  return Buffer.from(encodeWAMessage(message));
}

export function unpad(plaintext: Uint8Array): proto.Message {
  return proto.Message.decode(unpadRandomMax16(plaintext));
}

/** Reference to a message, as its writer encoded it. */
export type Key = { id: string; from_me: boolean; remote_jid?: string; participant?: string };

/** A decoded message: its kind, its text if it has one, and further fields of that kind. */
export type Content = {
  type: string;
  text?: string;
  /** The message that it answers. */
  quoted?: { id: string; participant?: string; text?: string };
  /** The message that it edits or deletes, reacts to or votes on. */
  key?: Key;
} & Record<string, unknown>;

const { REVOKE, MESSAGE_EDIT } = proto.Message.ProtocolMessage.Type;

export function contentOf(wrapped: proto.IMessage): Content {
  const message = normalizeMessageContent(wrapped) ?? wrapped;
  const field = Object.keys(message).find(
    (name) => name !== "messageContextInfo" && name !== "senderKeyDistributionMessage",
  );
  if (field === undefined) return { type: "empty" };
  const value = message[field as keyof proto.IMessage];
  const content = described(message) ?? otherKind(field, value);
  const quoted = quotedIn(value);
  const expiration = expirationOf(value);
  return { ...content, ...(quoted ? { quoted } : {}), ...(expiration === undefined ? {} : { expiration }) };
}

function described(message: proto.IMessage): Content | undefined {
  const {
    extendedTextMessage,
    locationMessage,
    contactMessage,
    contactsArrayMessage,
    reactionMessage,
    protocolMessage,
  } = message;
  const poll = message.pollCreationMessage ?? message.pollCreationMessageV3;
  if (message.conversation) return { type: "text", text: message.conversation };
  if (extendedTextMessage) return { type: "text", text: extendedTextMessage.text ?? "" };
  if (locationMessage) {
    const { degreesLatitude, degreesLongitude, name, address } = locationMessage;
    return { type: "location", latitude: degreesLatitude, longitude: degreesLongitude, name, address };
  }
  if (contactMessage ?? contactsArrayMessage) {
    const contacts = contactsArrayMessage?.contacts ?? [contactMessage!];
    return { type: "contact", contacts: contacts.map(({ displayName, vcard }) => ({ name: displayName, vcard })) };
  }
  if (poll) {
    return {
      type: "poll",
      text: poll.name ?? "",
      options: poll.options?.map(({ optionName }) => optionName),
      max_choices: poll.selectableOptionsCount,
      secret: Buffer.from(message.messageContextInfo?.messageSecret ?? []).toString("hex"),
    };
  }
  const file = fileIn(message);
  if (file) return file;
  if (reactionMessage) return { type: "reaction", text: reactionMessage.text ?? "", ...keyed(reactionMessage.key) };
  if (protocolMessage?.type === REVOKE) return { type: "delete", ...keyed(protocolMessage.key) };
  if (protocolMessage?.type === MESSAGE_EDIT) {
    return { ...contentOf(protocolMessage.editedMessage ?? {}), type: "edit", ...keyed(protocolMessage.key) };
  }
  return undefined;
}

function otherKind(field: string, value: unknown): Content {
  const caption = typeof value === "object" && value !== null && "caption" in value ? value.caption : undefined;
  const type = field.replace(/Message$/, "");
  return typeof caption === "string" ? { type, text: caption } : { type };
}

function keyed(key: proto.IMessageKey | null | undefined): { key?: Key } {
  if (!key?.id) return {};
  return {
    key: {
      id: key.id,
      from_me: key.fromMe === true,
      ...(key.remoteJid ? { remote_jid: key.remoteJid } : {}),
      ...(key.participant ? { participant: key.participant } : {}),
    },
  };
}

function quotedIn(value: unknown): Content["quoted"] {
  if (typeof value !== "object" || value === null || !("contextInfo" in value)) return undefined;
  const { stanzaId, participant, quotedMessage } = (value.contextInfo ?? {}) as proto.IContextInfo;
  if (!stanzaId) return undefined;
  const text = quotedMessage ? contentOf(quotedMessage).text : undefined;
  return { id: stanzaId, ...(participant ? { participant } : {}), ...(text === undefined ? {} : { text }) };
}
