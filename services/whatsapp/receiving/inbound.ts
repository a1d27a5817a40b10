import {
  areJidsSameUser,
  isHostedLidUser,
  isHostedPnUser,
  isJidGroup,
  isLidUser,
  isPnUser,
  jidNormalizedUser,
} from "@whiskeysockets/baileys";
import type { proto, WAMessageKey } from "@whiskeysockets/baileys";
import { storedContent } from "../../../lib/messages/index.ts";
import type { MessageContent } from "../../../lib/messages/index.ts";
import type { InboundData } from "../../../lib/contracts/shard/schemas.ts";
import { isJid, preferPhone } from "../codec/jid.ts";
import { truncate, maxText } from "../codec/bounds.ts";
import { incomingContent } from "../codec/incoming.ts";
import type { Incoming } from "../codec/incoming.ts";

/** A chat with one person, or a group. */
export const isConversation = (chat: string | null | undefined): boolean =>
  isPnUser(chat ?? undefined) === true ||
  isLidUser(chat ?? undefined) === true ||
  isHostedPnUser(chat ?? undefined) === true ||
  isHostedLidUser(chat ?? undefined) === true ||
  isJidGroup(chat ?? undefined) === true;

export type Received = {
  key: WAMessageKey;
  /** WhatsApp's time, Unix seconds. */
  timestampS: number;
  pushName?: string | null | undefined;
  message: proto.IMessage;
  /** The JIDs of the business, without a device. */
  own: string[];
  /** The plaintext of a message that the business sent. */
  sentMessage: (waMessageId: string) => Uint8Array | undefined;
};

/**
 * Decodes a message for the journal. Undefined for protocol messages between devices, and for statuses, broadcast lists
 * and channels.
 */
export function inboundOf(received: Received): InboundData | undefined {
  const { key, message, own, sentMessage } = received;
  const envelope = envelopeOf(received);
  if (envelope === undefined) return undefined;
  const { chat, sender, from_me: fromMe } = envelope;
  const writer = key.participant ? [key.participant, key.participantAlt] : [key.remoteJid, key.remoteJidAlt];
  const content = contentOrUnreadable(message, {
    chat,
    writer: sender,
    fromMe,
    isOwn: (jid) => jid !== "" && own.some((name) => areJidsSameUser(name, jid)),
    sentMessage,
    names: {
      own,
      writer: fromMe ? own : writer.filter((jid) => jid).map((jid) => jidNormalizedUser(jid ?? undefined)),
    },
  });
  if (content === undefined) return undefined;
  const stored = storedContent(content);
  return { ...envelope, ...stored, text: stored.text === null ? null : truncate(stored.text, maxText) };
}

/** The journal entry of a message whose content was not decoded. Undefined if it belongs to no chat. */
export function unreadableOf(received: Omit<Received, "message" | "own" | "sentMessage">): InboundData | undefined {
  const envelope = envelopeOf(received);
  return envelope && { ...envelope, ...storedContent(unreadable) };
}

type Envelope = Pick<InboundData, "wa_message_id" | "chat" | "sender" | "from_me" | "push_name" | "timestamp">;

function envelopeOf({
  key,
  timestampS,
  pushName,
}: Omit<Received, "message" | "own" | "sentMessage">): Envelope | undefined {
  if (!key.id || !key.remoteJid || !isConversation(key.remoteJid)) return undefined;
  if (key.id.length > maxId) return undefined;
  const chat = preferPhone(key.remoteJid, key.remoteJidAlt);
  const sender = key.participant ? preferPhone(key.participant, key.participantAlt) : chat;
  if (!isJid(chat) || !isJid(sender)) return undefined;
  return {
    wa_message_id: key.id,
    chat,
    sender,
    from_me: key.fromMe === true,
    ...(pushName ? { push_name: truncate(pushName, maxName) } : {}),
    timestamp: timeOf(timestampS),
  };
}

/** A message that our code cannot decode, or that killed the process. */
const unreadable: MessageContent = { type: "unknown", kind: "unreadable" };

/** Senders create message ids; phones use 20 to 32 characters. */
export const maxId = 128;
/** WhatsApp allows 25. */
const maxName = 256;

/** WhatsApp's time in Unix ms; the current time if the stanza has none or a future one. */
function timeOf(seconds: number): number {
  const now = Date.now();
  const at = Math.trunc(seconds * 1000);
  return at >= 0 && at <= now + 86_400_000 ? at : now;
}

/** Content that our code cannot decode is kept as unreadable: it must neither be lost nor come again for ever. */
function contentOrUnreadable(message: proto.IMessage, incoming: Incoming): MessageContent | undefined {
  try {
    return incomingContent(message, incoming);
  } catch {
    return unreadable;
  }
}
