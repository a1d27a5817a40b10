import { isJidGroup } from "@whiskeysockets/baileys";
import type { proto } from "@whiskeysockets/baileys";
import type { Reference } from "../../../lib/messages/index.ts";
import { preferPhone } from "./jid.ts";

/** How WhatsApp is told which message of a chat is meant. */
export function keyOf(chat: string, { wa_message_id, from_me, sender }: Reference): proto.IMessageKey {
  const participant = isJidGroup(chat) && !from_me ? sender : undefined;
  return { remoteJid: chat, id: wa_message_id, fromMe: from_me, ...(participant ? { participant } : {}) };
}

/** The message in which a key was found, and whose names are the business's own. */
export type Finding = {
  chat: string;
  /** Who wrote the message that has the key in it. */
  writer: string;
  fromMe: boolean;
  isOwn: (jid: string) => boolean;
};

/** Which message is meant, as the business sees it: the key is written as its writer saw it. */
export function referenceOf(
  key: proto.IMessageKey | null | undefined,
  { chat, writer, fromMe, isOwn }: Finding,
): Reference | undefined {
  if (!key?.id) return undefined;
  // Who wrote the message that is meant: named in a group; otherwise one of the two.
  const author = key.participant || (key.fromMe ? writer : key.remoteJid || chat);
  const from_me = key.fromMe ? fromMe : isOwn(author);
  return {
    wa_message_id: key.id,
    from_me,
    ...(isJidGroup(chat) && !from_me && !isJidGroup(author) ? { sender: preferPhone(author, undefined) } : {}),
  };
}
