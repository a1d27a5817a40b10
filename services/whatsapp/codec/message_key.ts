import { isJidGroup } from "@whiskeysockets/baileys";
import type { proto } from "@whiskeysockets/baileys";
import type { Reference } from "../../../lib/messages/index.ts";

/** The key with which WhatsApp refers to a message of a chat. */
export function keyOf(chat: string, { wa_message_id, from_me, sender }: Reference): proto.IMessageKey {
  const participant = isJidGroup(chat) && !from_me ? sender : undefined;
  return { remoteJid: chat, id: wa_message_id, fromMe: from_me, ...(participant ? { participant } : {}) };
}

/** The message that contains a key, and the JIDs of the business. */
export type KeyContext = {
  chat: string;
  /** The writer of the message that contains the key. */
  writer: string;
  fromMe: boolean;
  isOwn: (jid: string) => boolean;
  /** The chat of the account that has this name. */
  chatOf: (jid: string) => string;
};

/**
 * The message that a key refers to, from the business's point of view. The key is written from its writer's point of
 * view.
 */
export function referenceOf(
  key: proto.IMessageKey | null | undefined,
  { chat, writer, fromMe, isOwn, chatOf }: KeyContext,
): Reference | undefined {
  if (!key?.id) return undefined;
  // The author of the referenced message: named in a group, otherwise one of the two.
  const author = key.participant || (key.fromMe ? writer : key.remoteJid || chat);
  const from_me = key.fromMe ? fromMe : isOwn(author);
  return {
    wa_message_id: key.id,
    from_me,
    ...(isJidGroup(chat) && !from_me && !isJidGroup(author) ? { sender: chatOf(author) } : {}),
  };
}
