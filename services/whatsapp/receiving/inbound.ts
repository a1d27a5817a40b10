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
import type { InboundData } from "../../../lib/shard-client/schemas.ts";
import { preferPhone } from "../jid.ts";
import { incomingContent } from "../kinds/incoming.ts";

/** A chat with one person, or a group. */
const isConversation = (chat: string) =>
  isPnUser(chat) === true ||
  isLidUser(chat) === true ||
  isHostedPnUser(chat) === true ||
  isHostedLidUser(chat) === true ||
  isJidGroup(chat) === true;

export type Received = {
  key: WAMessageKey;
  /** Unix seconds, WhatsApp's. */
  timestampS: number;
  pushName?: string | null | undefined;
  message: proto.IMessage;
  /** The JIDs that the business goes by, without a device. */
  own: string[];
  /** The plaintext of a message that the business sent. */
  sentMessage: (waMessageId: string) => Uint8Array | undefined;
};

/**
 * What a message says, for the journal. Undefined for what devices tell each other, and for what is not written to the
 * business: statuses, broadcast lists and channels.
 */
export function inboundOf({ key, timestampS, pushName, message, own, sentMessage }: Received): InboundData | undefined {
  if (!key.id || !key.remoteJid || !isConversation(key.remoteJid)) return undefined;
  const fromMe = key.fromMe === true;
  const chat = preferPhone(key.remoteJid, key.remoteJidAlt);
  const writer = key.participant ? [key.participant, key.participantAlt] : [key.remoteJid, key.remoteJidAlt];
  const sender = key.participant ? preferPhone(key.participant, key.participantAlt) : chat;
  const content = incomingContent(message, {
    chat,
    writer: sender,
    fromMe,
    isOwn: (jid) => jid !== "" && own.some((name) => areJidsSameUser(name, jid)),
    sentMessage,
    names: { own, writer: fromMe ? own : writer.filter((jid) => jid).map((jid) => jidNormalizedUser(jid ?? undefined)) },
  });
  if (content === undefined) return undefined;
  return {
    wa_message_id: key.id,
    chat,
    sender,
    from_me: fromMe,
    ...(pushName ? { push_name: pushName } : {}),
    timestamp: timestampS * 1000,
    ...storedContent(content),
  };
}
